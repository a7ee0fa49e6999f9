// How the Windows installer is brought to devices: by one line, by a startup script of a GPO, by Intune, in an image.
import { DEPLOYMENT, type Facts, type ReadyFile, type Way } from "./way.ts";

const SCRIPT = "install.cmd";
/** What the script brought last, for Intune's detection. */
const MARK = "HKLM\\SOFTWARE\\Keybound\\Deployment";

export function windowsWays(facts: Facts): readonly Way[] {
  const name = installerOf(facts);
  const system = "windows";
  return [
    {
      system,
      tool: "msiexec",
      processor: "x64",
      where: "on the device, at an elevated prompt of cmd, in a copy of this folder",
      shell: "cmd",
      lines: [`start "" /wait ${msiexec("%CD%\\", facts)}`],
    },
    {
      system,
      tool: "gpo",
      where:
        "Computer Configuration, Policies, Windows Settings, Scripts, Startup: add the script, with these three files in the policy's folder",
      shell: "form",
      file: SCRIPT,
      lines: [`script: ${SCRIPT}`, `files: ${SCRIPT}, ${name}, ${DEPLOYMENT}`],
    },
    {
      system,
      tool: "intune",
      where: "a Windows app (Win32), packed by IntuneWinAppUtil from a folder with these three files",
      shell: "form",
      file: SCRIPT,
      lines: intune(name, facts),
    },
    {
      system,
      tool: "golden-image",
      where:
        "in a golden image, at an elevated prompt of cmd, in a copy of this folder, before sysprep; SetupComplete.cmd must not be there yet",
      shell: "cmd",
      lines: image(name),
    },
  ];
}

export function windowsFiles(facts: Facts): readonly ReadyFile[] {
  return [{ name: SCRIPT, text: script(facts).join("\r\n"), executable: false }];
}

function installerOf({ installers }: Facts): string {
  const name = installers.find(({ system }) => system === "windows")?.name;
  if (name === undefined) throw new Error("internal error: no installer for Windows");
  return name;
}

function msiexec(folder: string, facts: Facts): string {
  const { pin, rebind } = facts;
  return `msiexec /i "${folder}${installerOf(facts)}" /qn DEPLOYMENT="${folder}${DEPLOYMENT}" TRUST=${pin}${rebind ? " REBIND=1" : ""}`;
}

function intune(name: string, { pin }: Facts): readonly string[] {
  return [
    `pack: IntuneWinAppUtil.exe -c FOLDER -s ${name} -o OUT`,
    `install command: cmd.exe /c ${SCRIPT}`,
    `uninstall command: msiexec /x ${name} /qn`,
    "supersedence of an older version: uninstall previous version: No (uninstalled, a device gives up its owner, and is another one afterwards)",
    "install behaviour: System; device restart behaviour: determine behaviour based on return codes",
    "detection rule 1: MSI, the product code that Intune read from the package, no version check",
    `detection rule 2: Registry, key HKEY_LOCAL_MACHINE\\SOFTWARE\\Keybound\\Deployment, value Pin, string equals ${pin}, not as a 32-bit app`,
  ];
}

function image(name: string): readonly string[] {
  const folder = "%WINDIR%\\Setup\\Scripts";
  return [
    `start "" /wait msiexec /i "%CD%\\${name}" /qn`,
    `mkdir "${folder}\\Keybound"`,
    // Before anything secret is in it.
    `icacls "${folder}\\Keybound" /inheritance:r /grant *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F`,
    `copy /b ${SCRIPT} "${folder}\\Keybound"`,
    `copy /b ${name} "${folder}\\Keybound"`,
    `copy /b ${DEPLOYMENT} "${folder}\\Keybound"`,
    `echo call "%WINDIR%\\Setup\\Scripts\\Keybound\\${SCRIPT}" ^&^& rd /s /q "%WINDIR%\\Setup\\Scripts\\Keybound" > "${folder}\\SetupComplete.cmd"`,
  ];
}

/** Runs at each start: does nothing where the device is bound to this organisation and has this version or a newer one. ProgramW6432 and /reg:64: Intune calls from a 32-bit process. */
function script(facts: Facts): readonly string[] {
  const { version, pin } = facts;
  const [major, minor, patch] = version.split(".");
  const agent = `"%ProgramW6432%\\Keybound\\node.exe" --disable-warning=ExperimentalWarning "%ProgramW6432%\\Keybound\\keybound-agent.cjs"`;
  const find = '"%SystemRoot%\\System32\\find.exe"';
  return [
    "@echo off",
    `rem Keybound agent ${version}, pin ${pin}. Lies beside the installer and ${DEPLOYMENT}; exits with msiexec's code.`,
    "setlocal",
    'set "code="',
    'set "has="',
    'set "older="',
    `if not exist "%ProgramW6432%\\Keybound\\node.exe" goto install`,
    `for /f "tokens=2" %%v in ('^"${agent} --version 2^>nul^"') do set "has=%%v"`,
    "if not defined has goto install",
    'for /f "tokens=1-3 delims=." %%a in ("%has%") do (',
    `  if %%a lss ${major} set older=1`,
    `  if %%a equ ${major} if %%b lss ${minor} set older=1`,
    `  if %%a equ ${major} if %%b equ ${minor} if %%c lss ${patch} set older=1`,
    ")",
    "if defined older goto install",
    `${agent} status 2>nul | ${find} "Owner " | ${find} "pin ${pin}" >nul`,
    "if not errorlevel 1 goto mark",
    ":install",
    `"%SystemRoot%\\System32\\${msiexec("%~dp0", facts).replace("msiexec", 'msiexec.exe"')}`,
    "set code=%errorlevel%",
    "if %code%==0 goto mark",
    "if not %code%==3010 exit /b %code%",
    ":mark",
    `"%SystemRoot%\\System32\\reg.exe" add ${MARK} /v Pin /d ${pin} /f /reg:64 >nul`,
    "if errorlevel 1 exit /b 1",
    "if defined code exit /b %code%",
    "exit /b 0",
    "",
  ];
}
