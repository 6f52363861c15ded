// The accounts' registry as authmux keeps it, a program that has never heard of argus: under its lockfile it
// reads the file again, makes the union with the accounts that it has in memory, changes that, and renames a
// new file into its place.
//
// Arguments: the file, its name, `settings` (it alone changes what stands beside the accounts) or `accounts`, and
// when to end, in nanoseconds of CLOCK_MONOTONIC. It prints a line of JSON for each change that it has made,
// and for what must not be.
//
// In memory it has the accounts that it has added itself, and only those, and it keeps no copy of the settings.
// Who has loaded the whole file once and makes the union with that at some later time revives what was removed
// in between, and takes back the settings: faults of theirs, which no other program can prevent. Here it complains
// of what is not as it left it before it makes the union, so that it does not mend what argus has lost.
'use strict';
const fs = require('fs');
const oldFile = require('./old_file.js');

const [file, name, role, end] = process.argv.slice(2);
const { acquire, release, replace } = oldFile(file, 'account');
const say = (line) => fs.writeSync(1, JSON.stringify(line) + '\n');
const own = {};
let settings;

async function update(round, change) {
  while (!(await acquire()));
  try {
    const document = JSON.parse(fs.readFileSync(file, 'utf8'));
    const { accounts } = document;
    const found = JSON.stringify([document.autoSwitch, document.activeAccountName]);
    if (settings && settings !== found) say({ complaint: `${settings} became ${found}` });
    const counted = accounts.shared.by[name] ?? 0;
    if (counted !== round) say({ complaint: `${name} counted to ${round}, and ${counted} is there` });
    for (const [id, account] of Object.entries(own)) {
      if (!(id in accounts)) say({ complaint: `${id} is lost` });
      accounts[id] ??= account;
    }
    change(document);
    document.accounts.shared.by[name] = round + 1;
    replace(JSON.stringify(document, null, 2) + '\n');
    if (role === 'settings') settings = JSON.stringify([document.autoSwitch, document.activeAccountName]);
  } finally {
    release();
  }
}

async function main() {
  for (let round = 0; process.hrtime.bigint() < BigInt(end); round++) {
    const id = `${name}-${round}`;
    await update(round, (document) => {
      if (role === 'settings') {
        document.autoSwitch.threshold5hPercent = round;
        document.activeAccountName = id;
      } else {
        own[id] = document.accounts[id] = { name: id, createdAt: new Date().toISOString() };
      }
    });
    say(role === 'settings' ? { settings: JSON.parse(settings) } : { added: id });
    await oldFile.sleep(20 + Math.random() * 80);
  }
}

main();
