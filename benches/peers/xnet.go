// The interpreter of golang.org/x/net/bpf. Words are read in network order, so the records are turned around first.
// What it reads and prints stands in race.h.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
)

const roundTime, between = 20 * time.Millisecond, 10000

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return value
}

func program(path string) []bpf.Instruction {
	bytes := must(os.ReadFile(path))
	var insns []bpf.Instruction
	for ; len(bytes) >= 8; bytes = bytes[8:] {
		raw := bpf.RawInstruction{
			Op: binary.LittleEndian.Uint16(bytes),
			Jt: bytes[2],
			Jf: bytes[3],
			K:  binary.LittleEndian.Uint32(bytes[4:]),
		}
		insns = append(insns, raw.Disassemble())
	}
	return insns
}

func records(path string) [][]byte {
	bytes := must(os.ReadFile(path))
	var all [][]byte
	for ; len(bytes) >= 64; bytes = bytes[64:] {
		record := bytes[:64:64]
		for at := 0; at < 64; at += 4 {
			binary.BigEndian.PutUint32(record[at:], binary.LittleEndian.Uint32(record[at:]))
		}
		all = append(all, record)
	}
	return all
}

// The time for which this process has run.
func ran() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func main() {
	vm := must(bpf.NewVM(program(os.Args[1])))
	all := records(os.Args[2])
	var sum uint64
	for i, record := range all {
		sum += uint64(uint32(must(vm.Run(record)))) * uint64(i+1)
	}
	fmt.Println(sum)
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		start, done := ran(), 0
		for ran()-start < roundTime {
			for pass := 0; pass < between; pass += len(all) {
				for _, record := range all {
					vm.Run(record)
				}
				done += len(all)
			}
		}
		fmt.Printf("%.3f\n", float64((ran()-start).Nanoseconds())/float64(done))
	}
}
