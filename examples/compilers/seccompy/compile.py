#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""compile.py POLICY OUT: a profile of the OCI specification through the Python package seccompy, as a raw filter."""

import errno
import json
import sys

from seccompy import Action, ArgCmp, CmpOp, Filter

ACTIONS = {
    "SCMP_ACT_ALLOW": Action.ALLOW,
    "SCMP_ACT_LOG": Action.LOG,
    "SCMP_ACT_KILL": Action.KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": Action.KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": Action.KILL_PROCESS,
    "SCMP_ACT_TRAP": Action.TRAP,
    "SCMP_ACT_NOTIFY": Action.USER_NOTIF,
}
WITH_DATA = {"SCMP_ACT_ERRNO": Action.ERRNO, "SCMP_ACT_TRACE": Action.TRACE}


def action(name, number):
    """The 32-bit value of an action, with the number that goes with it."""
    if name in WITH_DATA:
        return WITH_DATA[name] | (errno.EPERM if number is None else number & 0xFFFF)
    return ACTIONS[name]


def condition(arg):
    op = CmpOp[arg["op"].removeprefix("SCMP_CMP_")]
    if op is CmpOp.MASKED_EQ:
        mask = arg["value"]
        return ArgCmp(arg["index"], op, arg.get("valueTwo", 0) & mask, mask)
    return ArgCmp(arg["index"], op, arg["value"])


def rule(filter_, name, value, args):
    """Puts a rule in by the method of its action."""
    data = value & 0xFFFF
    methods = {
        Action.ALLOW: filter_.allow,
        Action.LOG: filter_.log,
        Action.KILL_THREAD: filter_.kill_thread,
        Action.KILL_PROCESS: filter_.kill,
        Action.TRAP: filter_.trap,
        Action.USER_NOTIF: filter_.notify,
    }
    match value & 0xFFFF0000:
        case Action.ERRNO:
            filter_.errno(name, data, args=args)
        case Action.TRACE:
            filter_.trace(name, data, args=args)
        case plain:
            methods[plain](name, args=args)


def compile_profile(profile):
    if profile.get("architectures", ["SCMP_ARCH_X86_64"]) != ["SCMP_ARCH_X86_64"]:
        raise ValueError("seccompy compiles for the machine that it runs on, and for no other ABI")
    filter_ = Filter(default=action(profile["defaultAction"], profile.get("defaultErrnoRet")))
    for entry in profile.get("syscalls") or []:
        value = action(entry["action"], entry.get("errnoRet"))
        args = [condition(arg) for arg in entry.get("args") or []]
        for name in entry["names"]:
            rule(filter_, name, value, args)
    return filter_.program


def main():
    try:
        _, policy, out = sys.argv
        with open(policy, encoding="utf-8") as file:
            program = compile_profile(json.load(file))
        with open(out, "wb") as file:
            file.write(program)
    except (KeyError, OSError, ValueError) as error:
        sys.exit(f"compile.py: {error!r}")


main()
