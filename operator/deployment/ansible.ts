// The Ansible playbook: installs where the device is not bound to this organisation or has an older version, and fails where it is not bound after that.
import { DEPLOYMENT, type Facts } from "./way.ts";

const MACHINES = { x64: "x86_64", arm64: "aarch64" } as const;

/** For the kinds of package that the folder has; a device of another kind or processor fails by name. */
export function ansiblePlaybook({ version, pin, rebind, installers }: Facts): string {
  const files = (["deb", "rpm"] as const).flatMap((kind) => {
    const own = installers.filter(({ system }) => system === `linux-${kind}`);
    return own.length === 0
      ? []
      : [`      ${kind}:`, ...own.map(({ processor, name }) => `        ${MACHINES[processor]}: ${name}`)];
  });
  return `# Keybound agent ${version}, pin ${pin}. Run it in the folder that has the installers and ${DEPLOYMENT}.
- name: Keybound agent
  hosts: all
  become: true
  gather_facts: true
  vars:
    keybound_pin: "${pin}"
    keybound_version: "${version}"
    keybound_files:
${files.join("\n")}
    keybound_kind: "{{ 'deb' if ansible_facts.os_family == 'Debian' else 'rpm' }}"
    keybound_file: "{{ keybound_files[keybound_kind][ansible_facts.architecture] }}"
    # With --check no folder is made; what would be done is looked at in one that is there.
    keybound_at: "{{ keybound_folder.path | default('/root') }}"
    keybound_install:
      deb: [dpkg, -i]
      rpm: [rpm, -U, --replacepkgs]
  tasks:
    - name: Ask the device who owns it
      ansible.builtin.shell: keybound-agent status | grep '^Owner'
      register: keybound_owner
      changed_when: false
      failed_when: false
      check_mode: false
    - name: Ask which version it has
      ansible.builtin.command: keybound-agent --version
      register: keybound_has
      changed_when: false
      failed_when: false
      check_mode: false
    - name: Install and bind
      when: >-
        keybound_pin not in (keybound_owner.stdout | default('', true)) or
        (keybound_has.stdout | default('', true) | regex_search('[0-9.]+$') | default('0', true)) is version(keybound_version, '<')
      block:
        - name: Make a folder for root alone
          ansible.builtin.tempfile:
            state: directory
          register: keybound_folder
        - name: Copy the installer and the deployment
          ansible.builtin.copy:
            src: "{{ item }}"
            dest: "{{ keybound_at }}/"
            owner: root
            group: root
            mode: "0600"
          loop:
            - "{{ keybound_file }}"
            - ${DEPLOYMENT}
        - name: Install what Node is linked against
          ansible.builtin.package:
            name: "{{ 'libatomic1' if ansible_facts.os_family in ['Debian', 'Suse'] else 'libatomic' }}"
            state: present
        - name: Install the package, which binds the device
          ansible.builtin.command:
            argv: "{{ keybound_install[keybound_kind] + [keybound_at + '/' + keybound_file] }}"
          environment:
            KEYBOUND_DEPLOYMENT: "{{ keybound_at }}/${DEPLOYMENT}"
            KEYBOUND_TRUST: "{{ keybound_pin }}"
${rebind ? '            KEYBOUND_REBIND: "yes"\n' : ""}        - name: See that it is bound
          ansible.builtin.shell: keybound-agent status | grep '^Owner.*${pin}'
          changed_when: false
      always:
        - name: Remove the folder, and the deployment with it
          ansible.builtin.file:
            path: "{{ keybound_folder.path }}"
            state: absent
          when: keybound_folder.path is defined
`;
}
