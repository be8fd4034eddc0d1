#!/bin/bash -eu
# Builds every fuzz target for ClusterFuzzLite and OSS-Fuzz: programs and corpora go to $OUT.
cd "$SRC/callproof"
cargo fuzz build --release --fuzz-dir fuzz --features libfuzzer
programs=$(find . -path '*/x86_64-unknown-linux-gnu/release' -type d -not -path '*/build/*' | head -n 1)
for target in fuzz/fuzz_targets/*.rs; do
  name=$(basename "$target" .rs)
  # The canary fails on purpose.
  [ "$name" != canary ] || continue
  cp "$programs/$name" "$OUT/"
  zip -q -j "$OUT/${name}_seed_corpus.zip" "fuzz/corpus/$name"/*
done
