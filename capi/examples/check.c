/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A compiler of policies tests what it made. docs/C_API.md says how this is built.
 */
#include <stdio.h>
#include <string.h>

#include "callproof.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* On x86-64 read and write are allowed and getpid gets EPERM; all else is killed. */
static const struct callproof_insn made[] = {
    {0x20, 0, 0, 4},          /* ld arch */
    {0x15, 0, 4, 0xc000003e}, /* x86-64? */
    {0x20, 0, 0, 0},          /* ld nr */
    {0x15, 3, 0, 0},          /* read? */
    {0x15, 2, 0, 1},          /* write? */
    {0x15, 2, 0, 39},         /* getpid? */
    {0x06, 0, 0, 0x80000000}, /* kill the process */
    {0x06, 0, 0, 0x7fff0000}, /* allow */
    {0x06, 0, 0, 0x00050001}, /* EPERM */
};

static const char policy[] = "default kill_process\n"
                             "allow read, write on x86_64\n"
                             "errno(EPERM) getpid on x86_64\n";

static int failures;

/* Tells whether a function answered as it should. */
static void expect(const char *what, enum callproof_result want, enum callproof_result got, char *message) {
  int right = want == got;
  printf("%s: %s (%d)\n", right ? "ok" : "WRONG", what, (int)got);
  if (message != NULL)
    printf("%s\n", message);
  failures += !right;
  callproof_string_free(message);
}

int main(void) {
  const struct callproof_filter filter = {made, COUNT(made)};
  const struct callproof_call call = {.nr = 39, .arch = 0xc000003e};
  const size_t length = strlen(policy);
  struct callproof_verdict verdict;
  struct callproof_witness witness;
  enum callproof_result result;
  char *message = NULL;

  printf("callproof %s\n", callproof_version());

  result = callproof_check(&filter, NULL, &message);
  expect("the kernel would install it", CALLPROOF_RESULT_OK, result, message);

  result = callproof_eval(&filter, 1, &call, NULL, &verdict, &message);
  expect("getpid is decided", CALLPROOF_RESULT_OK, result, message);
  if (result == CALLPROOF_RESULT_OK)
    printf("getpid gets 0x%08x after %d instructions\n", (unsigned)verdict.value, (int)verdict.insns);
  failures += result != CALLPROOF_RESULT_OK || verdict.value != 0x00050001 || verdict.insns != 7;

  result = callproof_prove_policy(&filter, 1, policy, length, NULL, &witness, &message);
  expect("it is what the policy says, proved for every call", CALLPROOF_RESULT_OK, result, message);

  /* A compiler with a bug: write is forgotten. */
  struct callproof_insn copy[COUNT(made)];
  memcpy(copy, made, sizeof made);
  copy[4].jt = 1;
  const struct callproof_filter wrong = {copy, COUNT(copy)};
  const struct callproof_options on_x86_64 = {.abis = "x86_64"};

  result = callproof_prove_policy(&wrong, 1, policy, length, &on_x86_64, &witness, &message);
  expect("the bug is found", CALLPROOF_RESULT_FINDING, result, message);
  if (result == CALLPROOF_RESULT_FINDING)
    printf("call %d: policy 0x%08x, filter 0x%08x\n", (int)witness.call.nr, (unsigned)witness.left,
           (unsigned)witness.right);
  failures += result != CALLPROOF_RESULT_FINDING || witness.call.nr != 1;

  result = callproof_prove_equal(&filter, 1, &wrong, 1, NULL, NULL, &message);
  expect("the two filters differ", CALLPROOF_RESULT_FINDING, result, message);

  result = callproof_never_weaker(&wrong, 1, &filter, 1, NULL, NULL, &message);
  expect("but the wrong one permits nothing more", CALLPROOF_RESULT_OK, result, message);

  return failures != 0;
}
