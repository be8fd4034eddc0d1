// SPDX-License-Identifier: MIT OR Apache-2.0

// Command compile-gvisor POLICY OUT takes a profile of the OCI specification for x86_64 through gVisor's package
// seccomp and writes a raw filter.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/seccomp"
)

// numbers is where the C library's headers have the numbers of calls.
const numbers = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"

type profile struct {
	DefaultAction   string   `json:"defaultAction"`
	DefaultErrnoRet *uint16  `json:"defaultErrnoRet"`
	Architectures   []string `json:"architectures"`
	Syscalls        []entry  `json:"syscalls"`
}

type entry struct {
	Names    []string `json:"names"`
	Action   string   `json:"action"`
	ErrnoRet *uint16  `json:"errnoRet"`
	Args     []arg    `json:"args"`
}

type arg struct {
	Index    int     `json:"index"`
	Value    uintptr `json:"value"`
	ValueTwo uintptr `json:"valueTwo"`
	Op       string  `json:"op"`
}

var actions = map[string]linux.BPFAction{
	"SCMP_ACT_ALLOW":        0x7fff0000,
	"SCMP_ACT_LOG":          0x7ffc0000,
	"SCMP_ACT_NOTIFY":       0x7fc00000,
	"SCMP_ACT_TRAP":         0x00030000,
	"SCMP_ACT_KILL":         0,
	"SCMP_ACT_KILL_THREAD":  0,
	"SCMP_ACT_KILL_PROCESS": 0x80000000,
}

// action is the value that a filter returns, with the number that goes with it.
func action(name string, number *uint16) (linux.BPFAction, error) {
	data := linux.BPFAction(1) // EPERM
	if number != nil {
		data = linux.BPFAction(*number)
	}
	switch name {
	case "SCMP_ACT_ERRNO":
		return 0x00050000 | data, nil
	case "SCMP_ACT_TRACE":
		return 0x7ff00000 | data, nil
	}
	value, known := actions[name]
	if !known {
		return 0, fmt.Errorf("there is no action %q", name)
	}
	return value, nil
}

func matcher(a arg) (any, error) {
	switch a.Op {
	case "SCMP_CMP_EQ":
		return seccomp.EqualTo(a.Value), nil
	case "SCMP_CMP_NE":
		return seccomp.NotEqual(a.Value), nil
	case "SCMP_CMP_LT":
		return seccomp.LessThan(a.Value), nil
	case "SCMP_CMP_LE":
		return seccomp.LessThanOrEqual(a.Value), nil
	case "SCMP_CMP_GT":
		return seccomp.GreaterThan(a.Value), nil
	case "SCMP_CMP_GE":
		return seccomp.GreaterThanOrEqual(a.Value), nil
	case "SCMP_CMP_MASKED_EQ":
		return seccomp.MaskedEqual(a.Value, a.ValueTwo&a.Value), nil
	}
	return nil, fmt.Errorf("there is no operator %q", a.Op)
}

func rule(args []arg) (seccomp.Rule, error) {
	var rule seccomp.Rule
	for _, a := range args {
		if a.Index < 0 || a.Index > 5 || rule[a.Index] != nil {
			return rule, fmt.Errorf("argument %d: there is none, or it has a condition already", a.Index)
		}
		found, err := matcher(a)
		if err != nil {
			return rule, err
		}
		rule[a.Index] = found
	}
	return rule, nil
}

// table reads the numbers of calls from the header.
func table() (map[string]uintptr, error) {
	file, err := os.Open(numbers)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	line := regexp.MustCompile(`^#define __NR_(\w+) (\d+)$`)
	found := map[string]uintptr{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if words := line.FindStringSubmatch(strings.TrimSpace(lines.Text())); words != nil {
			number, err := strconv.ParseUint(words[2], 10, 32)
			if err != nil {
				return nil, err
			}
			found[words[1]] = uintptr(number)
		}
	}
	return found, nil
}

// ruleSets has a set for each entry of the profile, so that the first that matches decides.
func ruleSets(profile profile, table map[string]uintptr) ([]seccomp.RuleSet, error) {
	var sets []seccomp.RuleSet
	for _, entry := range profile.Syscalls {
		value, err := action(entry.Action, entry.ErrnoRet)
		if err != nil {
			return nil, err
		}
		conditions, err := rule(entry.Args)
		if err != nil {
			return nil, err
		}
		rules := seccomp.NewSyscallRules()
		for _, name := range entry.Names {
			number, known := table[name]
			if !known {
				return nil, fmt.Errorf("there is no call %q in %s", name, numbers)
			}
			if len(entry.Args) == 0 {
				rules[number] = []seccomp.Rule{}
			} else {
				rules.AddRule(number, conditions)
			}
		}
		sets = append(sets, seccomp.RuleSet{Rules: rules, Action: value})
	}
	return sets, nil
}

func compile(policy, out string) error {
	text, err := os.ReadFile(policy)
	if err != nil {
		return err
	}
	var profile profile
	if err := json.Unmarshal(text, &profile); err != nil {
		return err
	}
	if len(profile.Architectures) > 1 || len(profile.Architectures) == 1 && profile.Architectures[0] != "SCMP_ARCH_X86_64" {
		return fmt.Errorf("this command compiles for x86_64 alone")
	}
	byDefault, err := action(profile.DefaultAction, profile.DefaultErrnoRet)
	if err != nil {
		return err
	}
	table, err := table()
	if err != nil {
		return err
	}
	sets, err := ruleSets(profile, table)
	if err != nil {
		return err
	}
	// Other ABIs kill the thread, as libseccomp has it.
	insns, err := seccomp.BuildProgram(sets, byDefault, 0)
	if err != nil {
		return err
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	for _, insn := range insns {
		if err := binary.Write(file, binary.LittleEndian, insn); err != nil {
			return err
		}
	}
	return file.Close()
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: compile-gvisor POLICY OUT")
		os.Exit(2)
	}
	if err := compile(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "compile-gvisor:", err)
		os.Exit(1)
	}
}
