/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* callproof for C; docs/C_API.md is the manual. Made by cbindgen from capi/src: do not edit. */

#ifndef CALLPROOF_H
#define CALLPROOF_H

#include <stddef.h>
#include <stdint.h>

/**
 * What came of a question; the numbers are the exit codes of the command.
 */
enum callproof_result {
  /**
   * It is so: the kernel would install the filter, the call was evaluated, the claim is proved for every call
   */
  CALLPROOF_RESULT_OK = 0,
  /**
   * It is not so: the kernel would refuse the filter, or a call shows that the claim is false
   */
  CALLPROOF_RESULT_FINDING = 1,
  /**
   * The question cannot be asked: a null pointer, a length beyond every limit, a text without meaning, or a filter
   * that the kernel would refuse where an installed one is needed
   */
  CALLPROOF_RESULT_USAGE = 2,
  /**
   * The search for an answer reached a limit
   */
  CALLPROOF_RESULT_UNDECIDED = 3,
  /**
   * A mistake in callproof: please report it
   */
  CALLPROOF_RESULT_BUG = 70,
};

/**
 * One instruction: `struct sock_filter` of `linux/filter.h`, field for field.
 */
struct callproof_insn {
  /**
   * Operation
   */
  uint16_t code;
  /**
   * Instructions to skip when the test holds
   */
  uint8_t jt;
  /**
   * Instructions to skip when it does not
   */
  uint8_t jf;
  /**
   * Constant, offset or distance
   */
  uint32_t k;
};

/**
 * One filter. It is read during the call and not kept.
 */
struct callproof_filter {
  /**
   * Its instructions
   */
  const struct callproof_insn *insns;
  /**
   * How many there are
   */
  size_t len;
};

/**
 * The surroundings of a question. A null pointer in place of the options, or of one of them, means its default.
 */
struct callproof_options {
  /**
   * The ABIs whose calls are compared, such as `"x86_64, i386"`, and that policies without ABIs are for. Default:
   * every possible call, `arch` words of no ABI included
   */
  const char *abis;
  /**
   * The kernel release, such as `"6.12"`. Default: the newest that callproof knows
   */
  const char *kernel;
  /**
   * Whose reading of a policy counts where tools read the same text differently: `"spec"`, `"runc"`, `"crun"` or
   * `"firecracker"`. Default: what the text says by its own rules
   */
  const char *runtime;
};

/**
 * One call as a filter sees it: `struct seccomp_data` of `linux/seccomp.h`, field for field.
 */
struct callproof_call {
  /**
   * System call number
   */
  int32_t nr;
  /**
   * `AUDIT_ARCH_*` of the ABI that the call is made on
   */
  uint32_t arch;
  /**
   * Address of the instruction after the call
   */
  uint64_t instruction_pointer;
  /**
   * The argument registers
   */
  uint64_t args[6];
};

/**
 * What a chain of filters decides about a call.
 */
struct callproof_verdict {
  /**
   * The 32-bit value: action and data
   */
  uint32_t value;
  /**
   * The filter that decided, 0 being the oldest; -1 when none was more severe than ALLOW
   */
  int32_t filter;
  /**
   * Instructions executed, over all filters
   */
  uint64_t insns;
};

/**
 * A call that two sides answer differently. The emulator has replayed it.
 */
struct callproof_witness {
  /**
   * The call
   */
  struct callproof_call call;
  /**
   * The value that the left side gives it: the first filters, or the policy
   */
  uint32_t left;
  /**
   * The value that the right side gives it: the second filters, or those that are held against the policy
   */
  uint32_t right;
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library, such as "0.1.0". It is static: do not free it.
 */
const char *callproof_version(void);

/**
 * Frees a message. A null pointer is fine.
 *
 * # Safety
 * `text` is null, or was given out by this library as a message and not freed before.
 */
void callproof_string_free(char *text);

/**
 * Would the kernel install this filter? CALLPROOF_RESULT_FINDING comes with a message that has a line for each broken rule.
 *
 * # Safety
 * `filter` and `options` are null or point to such a struct, whose own pointers are null or good for as much as the
 * struct says; `message` is null or can be written.
 */
enum callproof_result callproof_check(const struct callproof_filter *filter,
                                      const struct callproof_options *options,
                                      char **message);

/**
 * What do these filters, oldest first, decide about a call? `verdict` is written with CALLPROOF_RESULT_OK alone.
 *
 * # Safety
 * `filters` points to `count` structs; else as for callproof_check.
 */
enum callproof_result callproof_eval(const struct callproof_filter *filters,
                                     size_t count,
                                     const struct callproof_call *call,
                                     const struct callproof_options *options,
                                     struct callproof_verdict *verdict,
                                     char **message);

/**
 * Do two chains of filters, each oldest first, give every call the same verdict? CALLPROOF_RESULT_OK says that it is proved
 * for every call; with CALLPROOF_RESULT_FINDING alone `witness` is written.
 *
 * # Safety
 * As for callproof_eval; `witness` is null or can be written.
 */
enum callproof_result callproof_prove_equal(const struct callproof_filter *left,
                                            size_t left_count,
                                            const struct callproof_filter *right,
                                            size_t right_count,
                                            const struct callproof_options *options,
                                            struct callproof_witness *witness,
                                            char **message);

/**
 * Is the left chain never weaker than the right, that is: does no call get a less severe action from it? Else as
 * callproof_prove_equal.
 *
 * # Safety
 * As for callproof_prove_equal.
 */
enum callproof_result callproof_never_weaker(const struct callproof_filter *left,
                                             size_t left_count,
                                             const struct callproof_filter *right,
                                             size_t right_count,
                                             const struct callproof_options *options,
                                             struct callproof_witness *witness,
                                             char **message);

/**
 * Do filters give every call the verdict of a policy? The policy is UTF-8 text of `policy_len` bytes in any format that
 * callproof reads. Else as callproof_prove_equal.
 *
 * # Safety
 * As for callproof_prove_equal; `policy` points to `policy_len` bytes.
 */
enum callproof_result callproof_prove_policy(const struct callproof_filter *filters,
                                             size_t count,
                                             const char *policy,
                                             size_t policy_len,
                                             const struct callproof_options *options,
                                             struct callproof_witness *witness,
                                             char **message);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* CALLPROOF_H */
