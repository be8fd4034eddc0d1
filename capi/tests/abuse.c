/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Whatever is handed over, there is an answer.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

#include "callproof.h"

_Static_assert(sizeof(struct callproof_insn) == sizeof(struct sock_filter), "instruction");
_Static_assert(offsetof(struct callproof_insn, jt) == offsetof(struct sock_filter, jt), "jt");
_Static_assert(offsetof(struct callproof_insn, jf) == offsetof(struct sock_filter, jf), "jf");
_Static_assert(offsetof(struct callproof_insn, k) == offsetof(struct sock_filter, k), "k");
_Static_assert(sizeof(struct callproof_call) == sizeof(struct seccomp_data), "call");
_Static_assert(offsetof(struct callproof_call, arch) == offsetof(struct seccomp_data, arch), "arch");
_Static_assert(offsetof(struct callproof_call, instruction_pointer) ==
                   offsetof(struct seccomp_data, instruction_pointer), "instruction pointer");
_Static_assert(offsetof(struct callproof_call, args) == offsetof(struct seccomp_data, args), "args");

static int failures;

/* The answer must be this, with these words, and nothing may be written but the message. */
static void expect_at(int line, enum callproof_result want, const char *words, enum callproof_result got, char *message) {
  const char *text = message == NULL ? "" : message;
  if (want != got || strstr(text, words) == NULL) {
    printf("line %d: got %d, and not %d with `%s`: %s\n", line, (int)got, (int)want, words, text);
    failures++;
  }
  callproof_string_free(message);
  callproof_string_free(NULL);
}

#define EXPECT(want, words, call) \
  do { \
    char *message = (char *)1; \
    enum callproof_result got = call; \
    expect_at(__LINE__, CALLPROOF_RESULT_##want, words, got, message); \
  } while (0)

int main(void) {
  const struct callproof_insn allow[] = {{0x06, 0, 0, 0x7fff0000}};
  const struct callproof_insn endless[] = {{0x20, 0, 0, 2}};
  const struct callproof_filter good = {allow, 1}, bad = {endless, 1}, empty = {allow, 0}, null = {NULL, 1};
  const struct callproof_filter huge = {allow, (size_t)-1}, negative = {allow, 65536};
  const struct callproof_filter odd = {(const struct callproof_insn *)((const char *)allow + 1), 0};
  const struct callproof_call call = {.arch = 0xc000003e};
  const struct callproof_options abis = {.abis = "x86_46"}, kernel = {.kernel = "six"}, bytes = {.abis = "\xff\xfe"};
  const struct callproof_options crun = {.abis = "x86_64", .runtime = "crun"}, docker = {.runtime = "docker"};
  const char oci[] = "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}";
  const struct callproof_options old = {.abis = "x86_64", .kernel = "4.13"};
  struct callproof_verdict verdict, before;
  struct callproof_witness witness, untouched;
  memset(&before, 7, sizeof before);
  memset(&untouched, 7, sizeof untouched);
  verdict = before;
  witness = untouched;

  EXPECT(OK, "", callproof_check(&good, NULL, &message));
  EXPECT(OK, "", callproof_check(&good, &old, &message));
  EXPECT(FINDING, "EINVAL", callproof_check(&bad, NULL, &message));
  EXPECT(FINDING, "instruction 0", callproof_check(&bad, NULL, &message));
  EXPECT(FINDING, "EINVAL", callproof_check(&empty, NULL, &message));
  EXPECT(USAGE, "`filter` is missing", callproof_check(NULL, NULL, &message));
  EXPECT(USAGE, "`insns` is missing", callproof_check(&null, NULL, &message));
  EXPECT(USAGE, "at most 65535", callproof_check(&huge, NULL, &message));
  EXPECT(USAGE, "at most 65535", callproof_check(&negative, NULL, &message));
  EXPECT(USAGE, "not aligned", callproof_check(&odd, NULL, &message));
  EXPECT(USAGE, "kernel release", callproof_check(&good, &kernel, &message));
  EXPECT(USAGE, "UTF-8", callproof_check(&good, &bytes, &message));
  failures += callproof_check(&bad, NULL, NULL) != CALLPROOF_RESULT_FINDING;

  EXPECT(USAGE, "at least one", callproof_eval(&good, 0, &call, NULL, &verdict, &message));
  EXPECT(USAGE, "at most 8192", callproof_eval(&good, (size_t)-1, &call, NULL, &verdict, &message));
  EXPECT(USAGE, "`call` is missing", callproof_eval(&good, 1, NULL, NULL, &verdict, &message));
  EXPECT(USAGE, "EINVAL", callproof_eval(&bad, 1, &call, NULL, &verdict, &message));
  failures += memcmp(&verdict, &before, sizeof verdict) != 0;
  EXPECT(OK, "", callproof_eval(&good, 1, &call, NULL, NULL, &message));
  EXPECT(OK, "", callproof_eval(&good, 1, &call, NULL, &verdict, &message));
  failures += verdict.value != 0x7fff0000 || verdict.filter != -1 || verdict.insns != 1;

  EXPECT(USAGE, "EINVAL", callproof_prove_equal(&good, 1, &bad, 1, NULL, &witness, &message));
  EXPECT(USAGE, "`right` is missing", callproof_prove_equal(&good, 1, NULL, 1, NULL, &witness, &message));
  EXPECT(USAGE, "at least one", callproof_prove_equal(&good, 0, &good, 1, NULL, &witness, &message));
  EXPECT(USAGE, "x86_46", callproof_prove_equal(&good, 1, &good, 1, &abis, &witness, &message));
  EXPECT(USAGE, "`left` is missing", callproof_never_weaker(NULL, 1, &good, 1, NULL, &witness, &message));
  EXPECT(USAGE, "`policy` is missing", callproof_prove_policy(&good, 1, NULL, 9, NULL, &witness, &message));
  EXPECT(USAGE, "the policy", callproof_prove_policy(&good, 1, "", 0, NULL, &witness, &message));
  EXPECT(USAGE, "the policy:1:9", callproof_prove_policy(&good, 1, "default perhaps\n", 16, NULL, &witness, &message));
  EXPECT(USAGE, "at most 1048576", callproof_prove_policy(&good, 1, "x", (size_t)-1, NULL, &witness, &message));
  EXPECT(OK, "", callproof_prove_equal(&good, 1, &good, 1, &old, &witness, &message));
  EXPECT(OK, "", callproof_prove_policy(&good, 1, "default allow\n", 14, NULL, &witness, &message));
  EXPECT(USAGE, "docker", callproof_prove_policy(&good, 1, oci, strlen(oci), &docker, &witness, &message));
  failures += memcmp(&witness, &untouched, sizeof witness) != 0;
  EXPECT(FINDING, "replay", callproof_prove_policy(&good, 1, oci, strlen(oci), &crun, &witness, &message));
  EXPECT(FINDING, "replay", callproof_prove_policy(&good, 1, "default log\n", 12, NULL, &witness, &message));
  failures += witness.left != 0x7ffc0000 || witness.right != 0x7fff0000;

  return failures != 0;
}
