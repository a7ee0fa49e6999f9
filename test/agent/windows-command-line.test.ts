// Command lines for Windows, read back by the rules of those who take them apart.
import { array, assert, constantFrom, oneof, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import { batchLine, commandLine } from "../../agent/run/windows-command-line.ts";

/** The C runtime's rules, as Microsoft documents them ("Parsing C command-line arguments"); the program's own name goes first. */
function wordsOf(line: string): readonly string[] {
  const words: string[] = [];
  let rest = line.replace(/^"[^"]*"|^[^ \t"]+/, "").trimStart();
  while (rest !== "") {
    const [word, after] = takeWord(rest);
    words.push(word);
    rest = after.replace(/^[ \t]+/, "");
  }
  return words;
}

function takeWord(line: string): readonly [word: string, rest: string] {
  let word = "";
  let isQuoted = false;
  let at = 0;
  while (at < line.length && (isQuoted || !/[ \t]/.test(line.charAt(at)))) {
    const slashes = /^\\*/.exec(line.slice(at))?.[0].length ?? 0;
    at += slashes;
    const isMark = line[at] === '"';
    word += "\\".repeat(isMark ? Math.floor(slashes / 2) : slashes);
    if (!isMark) {
      if (slashes === 0) word += line.charAt(at++);
    } else if (slashes % 2 === 1) {
      word += '"';
      at++;
    } else if (isQuoted && line[at + 1] === '"') {
      word += '"';
      at += 2;
    } else {
      isQuoted = !isQuoted;
      at++;
    }
  }
  return [word, line.slice(at)];
}

const VARIABLES: Readonly<Record<string, string>> = { cd: "C:\\", path: "C:\\windows & calc" };

/** What cmd makes of percent signs on a line: a variable that is there, or a part of it, is put in; else the sign stays and is passed over. */
function expanded(line: string): string {
  const at = line.indexOf("%");
  if (at < 0) return line;
  const [all = "%", name = "", part] = /^%([^%:]+)(:~,)?%/.exec(line.slice(at)) ?? [];
  const value = VARIABLES[name.toLowerCase()];
  const isVariable = value !== undefined;
  const put = isVariable ? (part === undefined ? value : "") : "%";
  return line.slice(0, at) + put + expanded(line.slice(at + (isVariable ? all.length : 1)));
}

/** Whether anything outside of marks means something to cmd. */
function meansSomething(line: string): boolean {
  const outside = line.split('"').filter((_piece, index) => index % 2 === 0);
  return outside.some((piece) => /[&|<>^()\r\n]/.test(piece));
}

const CMD = "C:\\Windows\\System32\\cmd.exe";
const SOURCE = "C:\\ProgramData\\Keybound\\state\\jobs\\x\\run.cmd";

/** What stands between the outermost marks after /c, which /s takes off. */
function inner(line: string): string {
  return line.slice(line.indexOf('/c "') + 4, -1);
}

const anyWord = oneof(
  string({ unit: "grapheme", maxLength: 30 }),
  string({ unit: constantFrom("\\", '"', " ", "%", "^", "a", "\t", "path", "cd", ":~,"), maxLength: 12 }),
);
const anyWords = array(
  anyWord.filter((word) => !word.includes("\0")),
  { maxLength: 6 },
);
const batchWords = anyWords.map((words) => words.map((word) => word.replace(/[\r\n]/g, "")));

describe("a command line", () => {
  it("is taken apart into the words that it was made of", () => {
    assert(
      property(anyWords, (words) => {
        expect(wordsOf(commandLine("C:\\a b\\c.exe", words))).toEqual(words);
      }),
    );
  });

  it.each([
    [["a b"], '"a b"'],
    [[""], '""'],
    [["C:\\end\\"], "C:\\end\\"],
    [["C:\\a b\\"], '"C:\\a b\\\\"'],
    [['say "hi"'], '"say \\"hi\\""'],
    [['\\"'], '"\\\\\\""'],
  ])("writes %j as documented", (words, written) => {
    expect(commandLine("x", words)).toBe(`"x" ${written}`);
  });
});

describe("a batch file's line", () => {
  it("is the same words again, once cmd has put in its variables", () => {
    assert(
      property(batchWords, (args) => {
        expect(wordsOf(expanded(inner(batchLine(CMD, { source: SOURCE, args }))))).toEqual(args);
      }),
    );
  });

  it("has nothing outside of marks that means something to cmd", () => {
    assert(
      property(batchWords, (args) => {
        expect(meansSomething(expanded(inner(batchLine(CMD, { source: SOURCE, args }))))).toBe(false);
      }),
    );
  });

  it("leaves plain words as they are, so that a script can compare them", () => {
    expect(inner(batchLine(CMD, { source: SOURCE, args: ["abc", "a.b-c", "C:\\x"] }))).toBe(
      `"${SOURCE}" abc a.b-c C:\\x`,
    );
  });

  it("is refused for an argument with a line break, which would end it", () => {
    expect(() => batchLine(CMD, { source: SOURCE, args: ["a\nb"] })).toThrow(
      expect.objectContaining({ code: "platform-lacks" }),
    );
  });
});
