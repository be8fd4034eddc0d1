#!/bin/bash -eu
# Builds every fuzz target for ClusterFuzzLite and OSS-Fuzz: programs and corpora go to $OUT.
cd "$SRC/callproof"
cargo fuzz build --release --fuzz-dir fuzz --features libfuzzer --target-dir "$WORK/target"
# Without the canary, which fails on purpose.
for name in $(fuzz/run --list); do
  cp "$WORK/target/x86_64-unknown-linux-gnu/release/$name" "$OUT/"
  zip -q -j "$OUT/${name}_seed_corpus.zip" "fuzz/corpus/$name"/*
done
