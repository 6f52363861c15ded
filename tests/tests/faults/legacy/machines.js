// The machines' registry as the Go program keeps it, that has never heard of argus: without a lockfile it reads the
// file, adds a machine, and writes all of it.
//
// Arguments: the file, its name, `renaming` (by way of a temporary file, whose name is always the same) or `in-place`,
// and when to end, in nanoseconds of CLOCK_MONOTONIC. For each machine it prints two lines of JSON: when it begins to
// read; and when it has written, whether that is what the file is by then, and whether it was held up in the
// middle of writing in place.
//
// What others write between its reading and its writing is lost, or revived, and nobody can prevent that. Its
// files never have `local`, which only argus insists on, and every third of its machines breaks the rules of one.
'use strict';
const fs = require('fs');
const oldFile = require('./old_file.js');

const [file, name, way, end] = process.argv.slice(2);
const now = () => process.hrtime.bigint();
const say = (line) => fs.writeSync(1, JSON.stringify(line) + '\n');
const HELD_UP = 20000000n;

function write(text) {
  const path = way === 'renaming' ? `${file}.tmp` : file;
  const begun = now();
  const written = fs.openSync(path, 'w', 0o600);
  fs.writeSync(written, text);
  const heldUp = way === 'in-place' && now() - begun > HELD_UP;
  if (way === 'renaming') fs.renameSync(path, file);
  const isRegistry = fs.fstatSync(written).ino === fs.statSync(file).ino;
  fs.closeSync(written);
  return { heldUp, isRegistry };
}

function machine(id, round) {
  if (round % 3 !== 0) return { name: id, type: 'ssh', host: `${id}.lan`, key_path: '', town_path: '' };
  // What their program itself cannot bear, no such type, and no host.
  return [null, { name: id, type: 'tty' }, { name: id, type: 'ssh' }][(round / 3) % 3];
}

async function main() {
  for (let round = 0; now() < BigInt(end); round++) {
    const id = `${name}-${round}`;
    // As a number, which JSON.stringify would refuse to make of a BigInt; it is far below 2^53.
    say({ reads: Number(now()) });
    const document = JSON.parse(fs.readFileSync(file, 'utf8'));
    delete document.machines.local;
    document.machines[id] = machine(id, round);
    say({ added: id, ...write(JSON.stringify(document, null, 2)) });
    await oldFile.sleep(100 + Math.random() * 200);
  }
}

main();
