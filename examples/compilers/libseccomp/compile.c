/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * compile-libseccomp [--optimize] POLICY OUT: a profile of the OCI specification through libseccomp, as a raw filter.
 *
 * Rules are handed over as the container runtimes do: in the order of the text, those with the default action left out;
 * when two conditions of a rule are on the same argument, which libseccomp does not take, each of its conditions becomes
 * a rule.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct word {
  const char *name;
  uint32_t value;
};

static const struct word actions[] = {
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},        {"SCMP_ACT_LOG", SCMP_ACT_LOG},
    {"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},   {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},          {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    {"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},      {NULL, 0},
};

static const struct word operators[] = {
    {"SCMP_CMP_NE", SCMP_CMP_NE}, {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE}, {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}, {NULL, 0},
};

static void fail(const char *what, const char *about) {
  fprintf(stderr, "compile-libseccomp: %s: %s\n", about, what);
  exit(1);
}

/* A step of libseccomp, which answers with a negative errno. */
static void must(int result, const char *about) {
  if (result < 0)
    fail(strerror(-result), about);
}

static uint32_t find(const struct word *words, const char *name) {
  for (; words->name != NULL; words++)
    if (name != NULL && strcmp(words->name, name) == 0)
      return words->value;
  fail("not a word that is known here", name == NULL ? "a missing word" : name);
  return 0;
}

static struct json_object *field(struct json_object *object, const char *name) {
  struct json_object *value = NULL;
  json_object_object_get_ex(object, name, &value);
  return value;
}

/* The action of an object, with the number that goes with it. */
static uint32_t action(struct json_object *object, const char *key, const char *number_key) {
  const char *name = json_object_get_string(field(object, key));
  struct json_object *number = field(object, number_key);
  uint16_t data = (uint16_t)(number == NULL ? EPERM : json_object_get_int(number));
  if (name != NULL && strcmp(name, "SCMP_ACT_ERRNO") == 0)
    return SCMP_ACT_ERRNO(data);
  if (name != NULL && strcmp(name, "SCMP_ACT_TRACE") == 0)
    return SCMP_ACT_TRACE(data);
  return find(actions, name);
}

enum { MOST_CONDITIONS = 64 };

/* The conditions of a rule; how many there are, and whether two are on the same argument. */
static unsigned conditions(struct json_object *args, struct scmp_arg_cmp *found, int *repeated) {
  size_t count = args == NULL ? 0 : json_object_array_length(args);
  unsigned seen = 0;
  *repeated = 0;
  if (count > MOST_CONDITIONS)
    fail("too many", "conditions");
  for (size_t at = 0; at < count; at++) {
    struct json_object *arg = json_object_array_get_idx(args, at);
    unsigned index = (unsigned)json_object_get_int(field(arg, "index"));
    if (index > 5)
      fail("there is no such argument", "conditions");
    *repeated |= (seen >> index) & 1;
    seen |= 1u << index;
    found[at].arg = index;
    found[at].op = (enum scmp_compare)find(operators, json_object_get_string(field(arg, "op")));
    found[at].datum_a = json_object_get_uint64(field(arg, "value"));
    found[at].datum_b = json_object_get_uint64(field(arg, "valueTwo"));
    if (found[at].op == SCMP_CMP_MASKED_EQ)
      found[at].datum_b &= found[at].datum_a;
  }
  return (unsigned)count;
}

static void add_rules(scmp_filter_ctx filter, struct json_object *entry, uint32_t by_default) {
  struct json_object *names = field(entry, "names");
  uint32_t answer = action(entry, "action", "errnoRet");
  struct scmp_arg_cmp args[MOST_CONDITIONS];
  int repeated;
  unsigned count = conditions(field(entry, "args"), args, &repeated);
  if (answer == by_default)
    return;
  for (size_t at = 0; names != NULL && at < json_object_array_length(names); at++) {
    const char *name = json_object_get_string(json_object_array_get_idx(names, at));
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
      fail("no such system call is known", name);
    if (!repeated)
      must(seccomp_rule_add_array(filter, answer, number, count, args), name);
    for (unsigned one = 0; repeated && one < count; one++)
      must(seccomp_rule_add_array(filter, answer, number, 1, &args[one]), name);
  }
}

/* The ABIs of the profile, in place of the machine's own. */
static void set_abis(scmp_filter_ctx filter, struct json_object *abis) {
  int native = 0;
  for (size_t at = 0; abis != NULL && at < json_object_array_length(abis); at++) {
    const char *name = json_object_get_string(json_object_array_get_idx(abis, at));
    char lower[32] = "";
    if (name == NULL || strncmp(name, "SCMP_ARCH_", 10) != 0 || strlen(name) > 40)
      fail("not an ABI", name == NULL ? "null" : name);
    for (size_t i = 10; name[i] != '\0'; i++)
      lower[i - 10] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    uint32_t token = seccomp_arch_resolve_name(lower);
    if (token == 0)
      fail("not an ABI that libseccomp knows", name);
    native |= token == seccomp_arch_native();
    int result = seccomp_arch_add(filter, token);
    must(result == -EEXIST ? 0 : result, name);
  }
  if (!native && abis != NULL)
    must(seccomp_arch_remove(filter, SCMP_ARCH_NATIVE), "the machine's own ABI");
}

int main(int argc, char **argv) {
  int optimize = argc == 4 && strcmp(argv[1], "--optimize") == 0;
  if (argc != 3 && !optimize)
    fail("compile-libseccomp [--optimize] POLICY OUT", "usage");
  const char *policy = argv[argc - 2], *out = argv[argc - 1];
  struct json_object *profile = json_object_from_file(policy);
  if (profile == NULL)
    fail("cannot be read as JSON", policy);
  /* What is compiled is not installed here, so the running kernel need not have every action. */
  seccomp_api_set(7);
  seccomp_api_set(6);
  uint32_t by_default = action(profile, "defaultAction", "defaultErrnoRet");
  scmp_filter_ctx filter = seccomp_init(by_default);
  if (filter == NULL)
    fail("libseccomp does not take it", "the default action");
  if (optimize)
    must(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "the optimised tree");
  set_abis(filter, field(profile, "architectures"));
  struct json_object *entries = field(profile, "syscalls");
  for (size_t at = 0; entries != NULL && at < json_object_array_length(entries); at++)
    add_rules(filter, json_object_array_get_idx(entries, at), by_default);
  int file = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (file < 0)
    fail(strerror(errno), out);
  must(seccomp_export_bpf(filter, file), "the filter");
  if (close(file) != 0)
    fail(strerror(errno), out);
  seccomp_release(filter);
  json_object_put(profile);
  return 0;
}
