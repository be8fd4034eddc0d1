"""Holds a foreign interpreter of classic BPF against what Linux answered.

    pip install lightbpf==1.1.0
    python3 examples/vectors/lightbpf.py vectors/eval.jsonl
    python3 examples/vectors/lightbpf.py --without 0x16 vectors/eval.jsonl

With `--without`, programs that have an opcode are left out: what else goes wrong shows then.
Exits with 0 when every answer is the kernel's, else with 1.
"""

import argparse
import collections
import json
import struct
import sys
import types

import LightBPF

# The package imports itself under the name of a larger one that is not installed with it.
sys.modules.setdefault("LightPacket", types.ModuleType("LightPacket")).LightBPF = LightBPF
sys.modules.setdefault("LightPacket.LightBPF", LightBPF)
from LightPacket.LightBPF.CompilerSet.Emulator import BpfEmulator
from LightPacket.LightBPF.CompilerSet.Instruction import Instruction


def program_of(text):
    """A program is a row of `struct sock_filter`: 16 bits of code, jt, jf, 32 bits of k, little-endian."""
    return [Instruction(*insn) for insn in struct.iter_unpack("<HBBI", bytes.fromhex(text))]


def packet_of(text):
    """Packet filters read big-endian words, seccomp the machine's: the 16 words are turned."""
    return struct.pack(">16I", *struct.unpack("<16I", bytes.fromhex(text)))


def main(files, without):
    answers, wrong, first = 0, 0, None
    by_code = collections.defaultdict(lambda: [0, 0])
    for name in files:
        for number, line in enumerate(open(name, encoding="utf-8"), 1):
            vector = json.loads(line)
            if "prog" not in vector or "cases" not in vector:
                continue
            program = program_of(vector["prog"])
            if any(insn.code in without for insn in program):
                continue
            failed = 0
            for data, expected in vector["cases"]:
                value = BpfEmulator.execute(program, packet_of(data)) & 0xFFFFFFFF
                answers += 1
                if value != int(expected, 16):
                    failed += 1
                    first = first or (name, number, data, expected, f"{value:08x}")
            wrong += failed
            for code in {insn.code for insn in program}:
                by_code[code][0] += 1
                by_code[code][1] += failed > 0
    print(f"{answers} answers, {wrong} are not the kernel's")
    if first:
        print("first: {}:{}\n  call   {}\n  kernel {}, interpreter {}".format(*first))
        print("programs with an opcode, and how many of them went wrong:")
        worst = sorted(by_code.items(), key=lambda item: (-item[1][1] / item[1][0], item[0]))
        for code, (programs, failed) in worst[:8]:
            print(f"  {code:#04x}  {programs:5}  {failed:5}  {100 * failed / programs:5.1f} %")
    return wrong != 0


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--without", type=lambda text: int(text, 0), action="append", default=[])
    options.add_argument("files", nargs="+")
    chosen = options.parse_args()
    sys.exit(main(chosen.files, chosen.without))
