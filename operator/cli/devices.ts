// The commands about devices and groups.
import { Command, Option } from "commander";
import { listed } from "../quantity.ts";
import type { World } from "../world.ts";
import { addExample, withCommon } from "./shared-options.ts";

const load = () => import("../commands/devices.ts");
const loadRedeploy = () => import("../commands/devices-redeploy.ts");
const loadGroup = () => import("../commands/group.ts");

export function addDeviceCommands(cli: Command, world: World): void {
  cli.addCommand(devicesCommand(world));
  cli.addCommand(groupCommand(world));
}

function devicesCommand(world: World): Command {
  const devices = new Command("devices").description("List devices, admit them, name them, remove them.");
  const list = new Command("list")
    .description("List devices: names from the signed roster, hosts as the devices signed them.")
    .option("--pending", "only devices that ask for admission")
    .addOption(
      new Option("--redeploy", "after a reset: which devices of the organisation before have come over").conflicts(
        "pending",
      ),
    )
    .action(async (options) => {
      if (options.redeploy === true) return (await loadRedeploy()).redeployedDevices(world, options);
      return (await load()).devices(world, options);
    });
  addExample(list, ["keybound devices list --pending", "keybound devices list --redeploy"]);
  const admit = new Command("admit")
    .description("Admit a device that asks for it.")
    .argument("<device>", "its host name or the beginning of its id")
    .option("--name <name>", "what to call it, if not by its host's name")
    .option("--class <class>", "its class", "standard")
    .option("--group <group>", "put it into this group; may be repeated", listed)
    .action(async (device, options) => (await load()).admitDevice(world, device, options));
  addExample(admit, ["keybound devices admit web1.example --name web1 --group web"]);
  const name = new Command("name")
    .description("Call a device by another name.")
    .argument("<device>", "its name or the beginning of its id")
    .argument("<name>", "the new name")
    .action(async (device, to, options) => (await load()).nameDevice(world, { device, name: to }, options));
  addExample(name, ["keybound devices name web1 front1"]);
  const classOf = new Command("class")
    .description("Put a device into another class.")
    .argument("<device>", "its name or the beginning of its id")
    .argument("<class>", "the new class")
    .action(async (device, to, options) => (await load()).classDevice(world, { device, to }, options));
  addExample(classOf, ["keybound devices class db1 critical"]);
  const remove = new Command("remove")
    .description("Take a device out of the roster.")
    .argument("<device>", "its name or the beginning of its id")
    .action(async (device, options) => (await load()).removeDevice(world, device, options));
  addExample(remove, ["keybound devices remove web1"]);
  devices.addCommand(withCommon(list, { passphrase: false }), { isDefault: true });
  for (const command of [admit, remove]) devices.addCommand(withCommon(command, { yes: true }));
  for (const command of [name, classOf]) devices.addCommand(withCommon(command));
  addExample(devices, ["keybound devices", "keybound devices admit web1.example --name web1"]);
  return devices;
}

function groupCommand(world: World): Command {
  const group = new Command("group").description("List, fill and delete groups of devices.");
  const list = new Command("list")
    .description("List groups.")
    .action(async (options) => (await loadGroup()).groups(world, options));
  addExample(list, ["keybound group list"]);
  const show = new Command("show")
    .description("List the devices of a group.")
    .argument("<group>", "the group")
    .action(async (name, options) => (await loadGroup()).showGroup(world, name, options));
  addExample(show, ["keybound group show web"]);
  const add = new Command("add")
    .description("Put devices into a group, which is made if need be.")
    .argument("<group>", "the group")
    .argument("<device...>", "names of devices")
    .action(async (name, devices, options) => (await loadGroup()).addToGroup(world, { group: name, devices }, options));
  addExample(add, ["keybound group add web web1 web2"]);
  const remove = new Command("remove")
    .description("Take devices out of a group.")
    .argument("<group>", "the group")
    .argument("<device...>", "names of devices")
    .action(async (name, devices, options) =>
      (await loadGroup()).removeFromGroup(world, { group: name, devices }, options),
    );
  addExample(remove, ["keybound group remove web web2"]);
  const drop = new Command("delete")
    .description("Delete a group; its devices stay.")
    .argument("<group>", "the group")
    .action(async (name, options) => (await loadGroup()).deleteGroup(world, name, options));
  addExample(drop, ["keybound group delete web"]);
  group.addCommand(withCommon(list, { passphrase: false }), { isDefault: true });
  group.addCommand(withCommon(show, { passphrase: false }));
  for (const command of [add, remove]) group.addCommand(withCommon(command));
  group.addCommand(withCommon(drop, { yes: true }));
  addExample(group, ["keybound group add web web1 web2", "keybound run --group web -- uptime"]);
  return group;
}
