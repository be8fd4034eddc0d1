/*
 * The program that runs alone in a guest: it reads programs and calls from a file, lets the guest's kernel judge them,
 * and prints what happened. It is process 1 of an initramfs, the same source for every architecture.
 *
 *   init probe   prints facts about the kernel
 *   init run     prints them too, and answers the jobs in /jobs, once for each setting of the BPF JIT; where there is a
 *                /player, it is run with the words in /words, each with a NUL behind it, and what it prints is printed
 *
 * Every word in /jobs and in an answer is little-endian, whatever the machine:
 *
 *   file    "CPJOBS1\n", jobs (u32), the jobs
 *   job     programs (u32); for each its length (u32) and its instructions (code u16, jt u8, jf u8, k u32);
 *           calls (u32); for each its gate (u32), number (u32) and six arguments (u64)
 *   answer  for each job: 0 (u32), or in the low half the errno of the program that was refused and in the high half
 *           its index; for each call an outcome (u32): what happened in the top byte, a number in the rest
 *   story   in /stories, "CPSTORY1", stories (u32); a story: whether it keeps its privileges (u32), programs (u32), for
 *           each the length that it claims (u32), what its address is (u32: 0 right, 1 null, 2 bad) and the program as
 *           above; steps (u32), for each its kind (u32), which arguments are programs (u32, a bit each), which are
 *           places of a word with that value (u32), a number (u32) and six arguments (u64)
 *   told    nine words for each step: what happened, a value (two words), and of SIGSYS its number, code, errno, call,
 *           architecture, and whether the address is right
 *   player  its status as waitpid gives it (u32), and what it wrote to its standard output, or to its standard error
 *           when it wrote nothing else
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define MOST_PROGRAMS 64
#define MOST_CALLS 4096
#define INSTALLING 0xffffffffu
#define DIED_INSTALLING 0xffffu
#ifdef __i386__
#define ONLY_GATE 1
#else
#define ONLY_GATE 0
#endif
#define WIDE 0x5a5a0000u
#define PLAYER "/player"
#define MOST_WORDS 16
#define JIT "/proc/sys/net/core/bpf_jit_enable"

/* The top byte of an outcome. */
enum { NOT_MADE, ERROR, VALUE, TRAPPED, DIED };

struct call {
	uint32_t gate, nr;
	uint64_t args[6];
};

struct job {
	uint32_t programs, calls;
	struct sock_fprog program[MOST_PROGRAMS];
	struct call *call;
};

/* What a child tells: it is in memory shared with it, since a filtered child can say nothing else. */
static volatile struct {
	uint32_t at, refused;
	uint32_t outcome[MOST_CALLS];
} *told;

static void fail(const char *what)
{
	printf("CALLPROOF FAIL %s: %s\n", what, strerror(errno));
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	exit(1);
}

/* ---- making calls ---- */

#ifdef __i386__
/* Not by the C library: that enters by a page whose address differs from process to process. */
long int80(const uint32_t words[7]);
__asm__(".text\nint80:\n"
	"push %ebx\npush %esi\npush %edi\npush %ebp\n"
	"mov 20(%esp),%edi\n"
	"mov (%edi),%eax\nmov 4(%edi),%ebx\nmov 8(%edi),%ecx\nmov 12(%edi),%edx\nmov 16(%edi),%esi\n"
	"mov 24(%edi),%ebp\nmov 20(%edi),%edi\n"
	"int $0x80\n"
	"pop %ebp\npop %edi\npop %esi\npop %ebx\nret\n");
#endif

#ifdef __x86_64__
long int80(const uint32_t words[7]);
__asm__(".text\nint80:\n"
	"push %rbx\npush %rbp\n"
	"mov (%rdi),%eax\nmov 4(%rdi),%ebx\nmov 8(%rdi),%ecx\nmov 12(%rdi),%edx\nmov 16(%rdi),%esi\n"
	"mov 24(%rdi),%ebp\nmov 20(%rdi),%edi\n"
	"int $0x80\n"
	"pop %rbp\npop %rbx\nmovslq %eax,%rax\nret\n");

#endif

#if defined(__i386__) || defined(__x86_64__)
static long by_gate(const struct call *c)
{
	uint32_t words[7] = { c->nr };

	for (int i = 0; i < 6; i++)
		words[i + 1] = (uint32_t)c->args[i];
	return int80(words);
}
#else
static long by_gate(const struct call *c)
{
	(void)c;
	return -ENOSYS;
}
#endif

static long make(const struct call *c)
{
	const uint64_t *a = c->args;
	long value;

	if (c->gate || ONLY_GATE)
		return by_gate(c);
	errno = 0;
	value = syscall((long)(int32_t)c->nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
	return value == -1 && errno ? -errno : value;
}

static sigjmp_buf before_call;
static long getpid_before;
static volatile int trapped;

/* Leaves without sigreturn, which the filter would judge. */
static void on_sigsys(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	trapped = info->si_errno;
	siglongjmp(before_call, 1);
}

static uint32_t outcome(const struct call *c)
{
	long value;

	if (sigsetjmp(before_call, 0))
		return (uint32_t)TRAPPED << 24 | (trapped & 0xffff);
	value = make(c);
	if (value < 0 && value >= -4095)
		return (uint32_t)ERROR << 24 | (uint32_t)-value;
	return (uint32_t)VALUE << 24 | (value & 0xffffff);
}

static void child(const struct job *job, uint32_t first)
{
	struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGSYS, &action, NULL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (uint32_t i = 0; i < job->programs; i++)
		if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &job->program[i])) {
			told->refused = i << 16 | errno;
			__builtin_trap();
		}
	for (uint32_t i = first; i < job->calls; i++) {
		told->at = i;
		told->outcome[i] = outcome(&job->call[i]);
	}
	told->at = job->calls;
	/* The filter may forbid exit(2). */
	__builtin_trap();
}

/* A call that kills its process is followed by the next one in a new process. */
static void answer(const struct job *job)
{
	uint32_t next = 0;
	int status;

	told->refused = 0;
	for (uint32_t i = 0; i < job->calls; i++)
		told->outcome[i] = (uint32_t)NOT_MADE << 24;
	do {
		pid_t pid;

		told->at = INSTALLING;
		pid = fork();
		if (pid < 0)
			fail("fork");
		if (!pid)
			child(job, next);
		if (waitpid(pid, &status, 0) != pid)
			fail("waitpid");
		if (told->refused || told->at == job->calls)
			return;
		if (told->at == INSTALLING) {
			told->refused = DIED_INSTALLING;
			return;
		}
		told->outcome[told->at] = (uint32_t)DIED << 24 | (WIFSIGNALED(status) ? WTERMSIG(status) : 0xff00 | WEXITSTATUS(status));
		next = told->at + 1;
	} while (next < job->calls);
}

/* ---- stories ---- */

#define MOST_STEPS 64
#define BAD_ADDRESS 0x10
#define CORE_BYTES 65536

enum { CALL, HANDLE_SIGSYS, IGNORE_SIGSYS, DEFAULT_SIGSYS, BLOCK_SIGSYS };
/* What a step shows: these, besides the top bytes of outcomes. */
enum { OWN_NUMBER = 5 };

struct step {
	uint32_t kind, programs, words, nr;
	uint64_t args[6];
};

struct story {
	uint32_t privileged, programs, steps;
	struct sock_fprog program[MOST_PROGRAMS];
	struct step step[MOST_STEPS];
};

static uint64_t own_ip;

/* In memory shared with the child. */
static volatile struct {
	uint32_t at, seen[MOST_STEPS][9];
} *shown;

static void on_story_sigsys(int number, siginfo_t *info, void *context)
{
	volatile uint32_t *seen = shown->seen[shown->at];

	(void)context;
	seen[3] = number;
	seen[4] = info->si_code;
	seen[5] = info->si_errno;
	seen[6] = info->si_syscall;
	seen[7] = info->si_arch;
	seen[8] = (uint64_t)(uintptr_t)info->si_call_addr == own_ip;
	siglongjmp(before_call, 1);
}

static long sigsys_becomes(uint32_t kind)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_NODEFER };
	sigset_t set;

	if (kind == BLOCK_SIGSYS) {
		sigemptyset(&set);
		sigaddset(&set, SIGSYS);
		return sigprocmask(SIG_BLOCK, &set, NULL) ? -errno : 0;
	}
	if (kind == HANDLE_SIGSYS)
		action.sa_sigaction = on_story_sigsys;
	else
		action.sa_handler = kind == IGNORE_SIGSYS ? SIG_IGN : SIG_DFL;
	return sigaction(SIGSYS, &action, NULL) ? -errno : 0;
}

static void take_step(struct story *story, const struct step *step, volatile uint32_t *seen)
{
	uint32_t words[6];
	struct call call = { .nr = step->nr };
	long value;

	for (int j = 0; j < 6; j++) {
		uint64_t arg = step->args[j];

		words[j] = arg;
		if (step->programs >> j & 1)
			arg = (uintptr_t)&story->program[arg % MOST_PROGRAMS];
		else if (step->words >> j & 1)
			arg = (uintptr_t)&words[j];
		call.args[j] = arg;
	}
	if (sigsetjmp(before_call, 0)) {
		seen[0] = TRAPPED;
		return;
	}
	value = step->kind == CALL ? make(&call) : sigsys_becomes(step->kind);
	seen[0] = value < 0 && value >= -4095 ? ERROR : value == getpid_before ? OWN_NUMBER : VALUE;
	seen[1] = (uint32_t)value;
	seen[2] = (uint32_t)((int64_t)value >> 32);
}

static void drop_privileges(void)
{
	/* The header names version 3. */
	uint32_t header[2] = { 0x20080522, 0 }, nothing[6] = { 0 };

	if (syscall(__NR_capset, header, nothing))
		__builtin_trap();
}

static void tell_story(struct story *story)
{
	struct rlimit core = { CORE_BYTES, CORE_BYTES };

	getpid_before = getpid();
	if (setrlimit(RLIMIT_CORE, &core) || chdir("/tmp"))
		__builtin_trap();
	if (!story->privileged)
		drop_privileges();
	for (uint32_t i = 0; i < story->steps; i++) {
		shown->at = i;
		take_step(story, &story->step[i], shown->seen[i]);
	}
	shown->at = story->steps;
	__builtin_trap();
}

static void play_story(struct story *story)
{
	int status;
	pid_t pid;

	memset((void *)shown, 0, sizeof *shown);
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid)
		tell_story(story);
	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid");
	if (shown->at < story->steps) {
		shown->seen[shown->at][0] = DIED;
		shown->seen[shown->at][1] = status;
	}
}

/* ---- printing ---- */

static uint8_t *out;
static size_t out_len, out_room;

static void put8(uint8_t byte)
{
	if (out_len == out_room) {
		out_room = out_room ? 2 * out_room : 1 << 20;
		out = realloc(out, out_room);
		if (!out)
			fail("memory");
	}
	out[out_len++] = byte;
}

static void put32(uint32_t word)
{
	for (int i = 0; i < 4; i++)
		put8(word >> 8 * i);
}

static uint32_t fnv1a(const uint8_t *bytes, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

/* A frame: the console shows text alone, and the kernel may write to it too. */
static void print_frame(const char *name)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	printf("CALLPROOF BEGIN %s %zu %08x\n", name, out_len, fnv1a(out, out_len));
	for (size_t i = 0; i < out_len; i += 48) {
		char line[65];
		int n = 0;

		for (size_t j = i; j < i + 48 && j < out_len; j += 3) {
			size_t left = out_len - j;
			uint32_t v = out[j] << 16 | (left > 1 ? out[j + 1] << 8 : 0) | (left > 2 ? out[j + 2] : 0);

			line[n++] = digits[v >> 18];
			line[n++] = digits[v >> 12 & 63];
			line[n++] = left > 1 ? digits[v >> 6 & 63] : '=';
			line[n++] = left > 2 ? digits[v & 63] : '=';
		}
		line[n] = 0;
		printf("CALLPROOF DATA %s\n", line);
	}
	printf("CALLPROOF END %s\n", name);
	fflush(stdout);
	out_len = 0;
}

/* ---- reading jobs ---- */

static const uint8_t *in, *in_end;

static uint64_t take(int bytes)
{
	uint64_t value = 0;

	if (in_end - in < bytes)
		fail("/jobs ends early");
	for (int i = 0; i < bytes; i++)
		value |= (uint64_t)in[i] << 8 * i;
	in += bytes;
	return value;
}

static struct sock_fprog take_program(void)
{
	uint32_t len = take(4);
	struct sock_filter *insns = len <= 65535 ? calloc(len + 1, sizeof *insns) : NULL;

	if (!insns)
		fail("a program's length");
	for (uint32_t i = 0; i < len; i++) {
		insns[i].code = take(2);
		insns[i].jt = take(1);
		insns[i].jf = take(1);
		insns[i].k = take(4);
	}
	return (struct sock_fprog){ .len = len, .filter = insns };
}

static void take_calls(struct job *job)
{
	static struct call calls[MOST_CALLS];

	job->calls = take(4);
	job->call = calls;
	if (job->calls > MOST_CALLS)
		fail("a job's calls");
	for (uint32_t i = 0; i < job->calls; i++) {
		calls[i].gate = take(4);
		calls[i].nr = take(4);
		for (int j = 0; j < 6; j++)
			calls[i].args[j] = take(8);
	}
}

static void run_job(void)
{
	struct job job = { .programs = take(4) };

	if (job.programs > MOST_PROGRAMS)
		fail("a job's programs");
	for (uint32_t i = 0; i < job.programs; i++)
		job.program[i] = take_program();
	take_calls(&job);
	answer(&job);
	put32(told->refused);
	for (uint32_t i = 0; i < job.calls; i++)
		put32(told->outcome[i]);
	for (uint32_t i = 0; i < job.programs; i++)
		free(job.program[i].filter);
}

static void run_jobs(const uint8_t *file, size_t len, const char *name)
{
	in = file;
	in_end = file + len;
	if (take(8) != 0x0a3153424f4a5043ull)
		fail("/jobs is no file of jobs");
	for (uint32_t jobs = take(4), i = 0; i < jobs; i++) {
		run_job();
		if (i % 128 == 127) {
			printf("CALLPROOF AT %s %u\n", name, i + 1);
			fflush(stdout);
		}
	}
	print_frame(name);
}

static void take_story(struct story *story)
{
	story->privileged = take(4);
	story->programs = take(4);
	if (story->programs > MOST_PROGRAMS)
		fail("a story's programs");
	for (uint32_t i = 0; i < story->programs; i++) {
		uint32_t claimed = take(4), address = take(4);

		story->program[i] = take_program();
		story->program[i].len = claimed;
		if (address)
			story->program[i].filter = (void *)(address == 1 ? (uintptr_t)0 : (uintptr_t)BAD_ADDRESS);
	}
	story->steps = take(4);
	if (story->steps > MOST_STEPS)
		fail("a story's steps");
	for (uint32_t i = 0; i < story->steps; i++) {
		struct step *step = &story->step[i];

		step->kind = take(4);
		step->programs = take(4);
		step->words = take(4);
		step->nr = take(4);
		for (int j = 0; j < 6; j++)
			step->args[j] = take(8);
	}
}

static void play_stories(const uint8_t *file, size_t len, const char *engine)
{
	static struct story story;
	char name[64];

	in = file;
	in_end = file + len;
	if (take(8) != 0x3159524f54535043ull)
		fail("/stories is no file of stories");
	for (uint32_t stories = take(4), i = 0; i < stories; i++) {
		take_story(&story);
		play_story(&story);
		for (uint32_t j = 0; j < story.steps; j++)
			for (int k = 0; k < 9; k++)
				put32(shown->seen[j][k]);
	}
	snprintf(name, sizeof name, "%s.stories", engine);
	print_frame(name);
}

/* ---- the player ---- */

static void become_player(void)
{
	static char text[4096];
	static char *words[MOST_WORDS + 2] = { PLAYER };
	/* Its libraries, if it has any, are in one folder. */
	static char *environment[] = { "LD_LIBRARY_PATH=/lib", "TMPDIR=/tmp", NULL };
	int fd = open("/words", O_RDONLY), count = 1;
	ssize_t len = read(fd, text, sizeof text - 1);

	for (ssize_t at = 0; at < len && count <= MOST_WORDS; at += strlen(text + at) + 1)
		words[count++] = text + at;
	if (dup2(open("/output", O_RDWR | O_CREAT | O_TRUNC, 0600), 1) == 1 &&
	    dup2(open("/complaint", O_RDWR | O_CREAT | O_TRUNC, 0600), 2) == 2)
		execve(PLAYER, words, environment);
	_exit(127);
}

/* Appends a file to the frame, and says whether it had anything in it. */
static int put_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t before = out_len;
	uint8_t byte;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file)
		return 0;
	while (fread(&byte, 1, 1, file) == 1)
		put8(byte);
	fclose(file);
	return out_len > before;
}

/* It takes minutes: a line now and then shows that the guest is alive. */
static void run_player(const char *engine)
{
	char name[64];
	int status, fifths = 0;
	pid_t pid, ended;

	if (access(PLAYER, X_OK))
		return;
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid)
		become_player();
	/* Children that lose their parent become ours. */
	while ((ended = waitpid(-1, &status, WNOHANG)) != pid) {
		if (ended < 0)
			fail("waitpid");
		if (ended)
			continue;
		usleep(200000);
		if (++fifths % 50 == 0) {
			printf("CALLPROOF AT player %d\n", fifths / 5);
			fflush(stdout);
		}
	}
	put32(status);
	if (!put_file("/output"))
		put_file("/complaint");
	snprintf(name, sizeof name, "%s.player", engine);
	print_frame(name);
}

/* Sets the JIT, and says whether it is set so. */
static int set_jit(char state)
{
	char now = 0;
	int fd = open(JIT, O_RDWR);

	if (fd < 0)
		return 0;
	if (write(fd, &state, 1) != 1)
		errno = 0;
	if (pread(fd, &now, 1, 0) != 1)
		now = 0;
	close(fd);
	return now == state;
}

static const uint8_t *map_file(const char *path, size_t *len)
{
	struct stat stat;
	int fd = open(path, O_RDONLY);
	const uint8_t *file;

	if (fd < 0 || fstat(fd, &stat))
		fail(path);
	file = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		fail(path);
	close(fd);
	*len = stat.st_size;
	return file;
}

static void run_engine(const char *engine)
{
	size_t len;
	const uint8_t *file = map_file("/jobs", &len);

	run_jobs(file, len, engine);
	if (!access("/stories", R_OK)) {
		file = map_file("/stories", &len);
		play_stories(file, len, engine);
	}
	run_player(engine);
}

static void run(void)
{
	int ran = 0;

	for (char state = '0'; state <= '1'; state++)
		if (set_jit(state)) {
			run_engine(state == '0' ? "interpreter" : "jit");
			ran++;
		}
	/* Without the setting there is no JIT. */
	if (!ran)
		run_engine(access(JIT, F_OK) ? "interpreter" : "unknown");
}

/* ---- facts ---- */

/* A word of the seccomp_data of a call, 11 bits at a time: the errno of a filter's answer has room for no more. */
static uint32_t word_of(const struct call *call, uint32_t offset)
{
	uint32_t word = 0;

	for (uint32_t shift = 0; shift < 32; shift += 11) {
		struct sock_filter insns[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset),
			BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, shift),
			BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x7ff),
			BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO | 0x800),
			BPF_STMT(BPF_RET | BPF_A, 0),
		};
		struct call copy = *call;
		struct job job = { .programs = 1, .calls = 1, .program = { { 5, insns } }, .call = &copy };

		answer(&job);
		if (told->refused || told->outcome[0] >> 11 != ((uint32_t)ERROR << 24 | 0x800) >> 11)
			return 0;
		word |= (told->outcome[0] & 0x7ff) << shift;
	}
	return word;
}

static uint64_t ip_of(const struct call *call)
{
	uint16_t probe = 1;
	int big = *(uint8_t *)&probe == 0;

	return (uint64_t)word_of(call, big ? 8 : 12) << 32 | word_of(call, big ? 12 : 8);
}

static void print_gate(const char *name, uint32_t gate, uint32_t nr)
{
	struct call call = { .gate = gate, .nr = nr };

	printf("CALLPROOF FACT %s.nr %08x\n", name, word_of(&call, 0));
	printf("CALLPROOF FACT %s.arch %08x\n", name, word_of(&call, 4));
	printf("CALLPROOF FACT %s.ip %016llx\n", name, (unsigned long long)ip_of(&call));
}

#ifdef __x86_64__
/* Whether a call passes a filter that denies every call. Were it made, its caller may die: it is no call for programs. */
static void print_bypass(const char *name, uint32_t nr)
{
	struct sock_filter insns[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 7) };
	struct call call = { .nr = nr };
	struct job job = { .programs = 1, .calls = 1, .program = { { 1, insns } }, .call = &call };

	answer(&job);
	printf("CALLPROOF FACT passes.%s %s\n", name, told->outcome[0] == ((uint32_t)ERROR << 24 | 7) ? "no" : "yes");
}

/* Both kinds of foreign calls are made for real, in a child: one that is switched off may kill. */
static void print_foreign(void)
{
	struct call i386 = { .gate = 1, .nr = 64 };
	struct call x32 = { .nr = 0x40000000 | __NR_getppid };
	struct job job = { .calls = 1, .call = &i386 };
	uint32_t parent = (uint32_t)VALUE << 24 | (uint32_t)getpid();

	answer(&job);
	if (told->outcome[0] == parent)
		print_gate("i386", 1, 64);
	job.call = &x32;
	answer(&job);
	printf("CALLPROOF FACT x32 %s\n", told->outcome[0] == parent ? "yes" : "no");
	print_bypass("uretprobe", 335);
	print_bypass("uprobe", 336);
}
#else
static void print_foreign(void)
{
}
#endif

static void probe(void)
{
	struct utsname name;
	uint16_t one = 1;

	uname(&name);
	printf("CALLPROOF FACT release %s\n", name.release);
	printf("CALLPROOF FACT machine %s\n", name.machine);
	printf("CALLPROOF FACT bits %zu\n", 8 * sizeof(long));
	printf("CALLPROOF FACT endian %s\n", *(uint8_t *)&one ? "little" : "big");
	printf("CALLPROOF FACT getppid %u\n", (unsigned)__NR_getppid);
	printf("CALLPROOF FACT interpreter %s\n", set_jit('0') || access(JIT, F_OK) ? "yes" : "no");
	printf("CALLPROOF FACT jit %s\n", set_jit('1') ? "yes" : "no");
	print_gate("native", 0, __NR_getppid);
	own_ip = ip_of(&(struct call){ .nr = __NR_getppid });
	/* The filter sees a number that fits its register, whether or not the kernel keeps all of it. */
	printf("CALLPROOF FACT native.wide %08x\n", word_of(&(struct call){ .nr = WIDE | __NR_getppid }, 0));
	print_foreign();
	printf("CALLPROOF FACT end yes\n");
	fflush(stdout);
}

int main(int count, char **words)
{
	int printk;

	/* It changes settings and ends by switching the machine off. */
	if (getpid() != 1) {
		fputs("this program is process 1 of a guest\n", stderr);
		return 2;
	}
	mount("proc", "/proc", "proc", 0, NULL);
	printk = open("/proc/sys/kernel/printk", O_WRONLY);
	/* The console is for answers. */
	if (printk >= 0 && write(printk, "1", 1) == 1)
		close(printk);
	told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shown = mmap(NULL, sizeof *shown, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED || shown == MAP_FAILED)
		fail("memory");
	probe();
	if (count > 1 && !strcmp(words[1], "run"))
		run();
	printf("CALLPROOF DONE\n");
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
