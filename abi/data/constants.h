/* Which uapi headers the constants are read from, and the few constants that no uapi header has. `xtask tables fetch`
 * compiles this once for every ABI; nothing else includes it. Values written here: man-pages 6.20 (access(2),
 * umount(2), splice(2), swapon(2), socket(2)). */
#include <linux/types.h>
#include <linux/posix_types.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/errno.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <asm/mman.h>
#include <asm/socket.h>
#include <asm/sockios.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/resource.h>
#include <asm/stat.h>
#include <asm/unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <asm/prctl.h>
#include <asm/ldt.h>
#include <asm/mtrr.h>
#include <asm/ptrace-abi.h>
#endif
#include <linux/mman.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/resource.h>
#include <linux/random.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <linux/socket.h>
#include <linux/sockios.h>
#include <linux/net.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/un.h>
#include <linux/netlink.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/if_ether.h>
#include <linux/if_alg.h>
#include <linux/if_tun.h>
#include <linux/vm_sockets.h>
#include <linux/can.h>
#include <linux/tty.h>
#include <linux/tiocl.h>
#include <linux/vt.h>
#include <linux/kd.h>
#include <linux/memfd.h>
#include <linux/userfaultfd.h>
#include <linux/inotify.h>
#include <linux/fanotify.h>
#include <linux/eventpoll.h>
#include <linux/eventfd.h>
#include <linux/signalfd.h>
#include <linux/timerfd.h>
#include <linux/timex.h>
#include <linux/wait.h>
#include <linux/personality.h>
#include <linux/reboot.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <linux/membarrier.h>
#include <linux/rseq.h>
#include <linux/mempolicy.h>
#include <linux/kcmp.h>
#include <linux/close_range.h>
#include <linux/landlock.h>
#include <linux/io_uring.h>
#include <linux/aio_abi.h>
#include <linux/quota.h>
#include <linux/ioprio.h>
#include <linux/falloc.h>
#include <linux/fadvise.h>
#include <linux/ipc.h>
#include <linux/sem.h>
#include <linux/shm.h>
#include <linux/msg.h>
#include <linux/mqueue.h>
#include <linux/module.h>
#include <linux/kexec.h>
#include <linux/xattr.h>
#include <linux/loop.h>
#include <linux/nsfs.h>
#include <linux/pidfd.h>
#include <linux/lsm.h>
#include <linux/poll.h>
#include <linux/audit.h>
#include <linux/elf-em.h>
#include <linux/uio.h>
#include <linux/utsname.h>
#include <linux/watch_queue.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <linux/fiemap.h>
#include <linux/blkpg.h>
#include <linux/limits.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <linux/sync_file.h>
#include <linux/dma-buf.h>

/* socket(2): mips numbers the first two the other way round, parisc has a flag of its own */
#ifdef __mips__
#define SOCK_DGRAM 1
#define SOCK_STREAM 2
#else
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#endif
#define SOCK_RAW 3
#define SOCK_RDM 4
#define SOCK_SEQPACKET 5
#define SOCK_DCCP 6
#define SOCK_PACKET 10
#define SOCK_TYPE_MASK 0xf
#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC O_CLOEXEC
#endif
#ifdef __hppa__
#define SOCK_NONBLOCK 0x40000000
#endif
#ifndef SOCK_NONBLOCK
#define SOCK_NONBLOCK O_NONBLOCK
#endif
/* access(2) */
#define F_OK 0
#define X_OK 1
#define W_OK 2
#define R_OK 4
/* umount(2) */
#define MNT_FORCE 1
#define MNT_DETACH 2
#define MNT_EXPIRE 4
#define UMOUNT_NOFOLLOW 8
/* splice(2) */
#define SPLICE_F_MOVE 1
#define SPLICE_F_NONBLOCK 2
#define SPLICE_F_MORE 4
#define SPLICE_F_GIFT 8
/* swapon(2) */
#define SWAP_FLAG_PREFER 0x8000
#define SWAP_FLAG_PRIO_MASK 0x7fff
#define SWAP_FLAG_DISCARD 0x10000
#define SWAP_FLAG_DISCARD_ONCE 0x20000
#define SWAP_FLAG_DISCARD_PAGES 0x40000
/* listen(2), shutdown(2) */
#define SOMAXCONN 4096
#define SHUT_RD 0
#define SHUT_WR 1
#define SHUT_RDWR 2
/* fcntl(2), readlink and friends */
#define STDIN_FILENO 0
#define STDOUT_FILENO 1
#define STDERR_FILENO 2
