#include "media/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0
#endif

/* linux/landlock.h of Debian 12 knows ABI 2; numbers and bits are the kernel's interface and stay.
 */
#define NR_LANDLOCK_CREATE   444
#define NR_LANDLOCK_RESTRICT 446
#define LANDLOCK_VERSION     1U
struct landlock_attr {
    uint64_t access_fs, access_net, scoped;
};

/* What decoding, waiting and talking over given descriptors take. */
static const int allowed[] = {
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_lseek,
    SYS_close,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_shutdown,
    SYS_getsockopt,
    SYS_getsockname,
    SYS_getpeername,
    SYS_ppoll,
    SYS_pselect6,
    SYS_brk,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_futex,
    SYS_clock_gettime,
    SYS_gettimeofday,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_restart_syscall,
    SYS_exit,
    SYS_exit_group,
    SYS_rt_sigreturn,
    SYS_rt_sigprocmask,
    SYS_rt_sigaction,
    SYS_sigaltstack,
    SYS_getrandom,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_getpid,
    SYS_gettid,
    SYS_getppid,
    SYS_getrusage,
#ifdef SYS_poll
    SYS_poll,
    SYS_select,
    SYS_time,
#endif
};

/* Calls that depend on an argument. A rule allows (or answers EPERM, or ends the process). */
#define ARG_LOW(n)         (offsetof(struct seccomp_data, args) + 8 * (n))
#define ARG_HIGH(n)        (ARG_LOW(n) + 4)
#define LOAD(off)          BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(off))
#define RET(what)          BPF_STMT(BPF_RET | BPF_K, (what))
#define IF_EQ(k, yes, no)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(k), (yes), (no))
#define IF_SET(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(k), (yes), (no))
#define KILL               SECCOMP_RET_KILL_PROCESS
#define ALLOW              SECCOMP_RET_ALLOW
#define EPERM_ONLY         (SECCOMP_RET_ERRNO | EPERM)

#define RULES_MAX 256
struct program {
    struct sock_filter f[RULES_MAX];
    unsigned short n;
    int full;
};

static void put(struct program *p, const struct sock_filter *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p->n >= RULES_MAX)
            p->full = 1;
        else
            p->f[p->n++] = f[i];
    }
}
#define PUT(p, ...)                                                                                \
    do {                                                                                           \
        const struct sock_filter rule[] = {__VA_ARGS__};                                           \
        put(p, rule, sizeof rule / sizeof *rule);                                                  \
    } while (0)

/* Every block begins with the call's number in the accumulator and leaves it there when the call is
 * another one; within its own call it always returns. */
static void build(struct program *p, pid_t self)
{
    PUT(p, LOAD(offsetof(struct seccomp_data, arch)), IF_EQ(ARCH, 1, 0), RET(KILL),
        LOAD(offsetof(struct seccomp_data, nr)));
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        PUT(p, IF_EQ(allowed[i], 0, 1), RET(ALLOW));
    /* Never executable: neither new pages nor old ones. */
    PUT(p, IF_EQ(SYS_mmap, 0, 4), LOAD(ARG_LOW(2)), IF_SET(PROT_EXEC, 0, 1), RET(KILL), RET(ALLOW));
    PUT(p, IF_EQ(SYS_mprotect, 0, 4), LOAD(ARG_LOW(2)), IF_SET(PROT_EXEC, 0, 1), RET(KILL),
        RET(ALLOW));
    /* To nowhere but where the socket is connected already; no descriptors with it either, since
     * sendmsg() is not on the list. */
    PUT(p, IF_EQ(SYS_sendto, 0, 6), LOAD(ARG_LOW(4)), IF_EQ(0, 0, 3), LOAD(ARG_HIGH(4)),
        IF_EQ(0, 0, 1), RET(ALLOW), RET(KILL));
    /* Flags only: F_SETOWN and F_SETSIG would signal others. */
    PUT(p, IF_EQ(SYS_fcntl, 0, 7), LOAD(ARG_LOW(1)), IF_EQ(F_GETFD, 3, 0), IF_EQ(F_SETFD, 2, 0),
        IF_EQ(F_GETFL, 1, 0), IF_EQ(F_SETFL, 0, 1), RET(ALLOW), RET(KILL));
    /* Buffers and small packets; a socket filter, a multicast group and the like are answered no.
     */
    PUT(p, IF_EQ(SYS_setsockopt, 0, 13), LOAD(ARG_LOW(1)), IF_EQ(SOL_SOCKET, 0, 6),
        LOAD(ARG_LOW(2)), IF_EQ(SO_RCVBUF, 7, 0), IF_EQ(SO_SNDBUF, 6, 0), IF_EQ(SO_REUSEADDR, 5, 0),
        IF_EQ(SO_KEEPALIVE, 4, 0), RET(EPERM_ONLY), IF_EQ(IPPROTO_TCP, 0, 3), LOAD(ARG_LOW(2)),
        IF_EQ(TCP_NODELAY, 0, 1), RET(ALLOW), RET(EPERM_ONLY));
    /* abort(), and nothing else, to nobody else. */
    PUT(p, IF_EQ(SYS_tgkill, 0, 6), LOAD(ARG_LOW(0)), IF_EQ(self, 0, 3), LOAD(ARG_LOW(2)),
        IF_EQ(SIGABRT, 0, 1), RET(ALLOW), RET(KILL));
    PUT(p, RET(KILL));
}

int vd_sandbox_landlock(void)
{
    const long abi = syscall(NR_LANDLOCK_CREATE, NULL, 0, LANDLOCK_VERSION);
    return abi < 0 ? 0 : (int)abi;
}

static vd_status landlock(struct vd_err *err)
{
    const int abi = vd_sandbox_landlock();
    if (!abi)
        return VD_OK; /* seccomp forbids the same calls */
    /* Handle everything that this kernel knows; allow none of it. */
    const int fs_bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;
    const struct landlock_attr a = {.access_fs = (UINT64_C(1) << fs_bits) - 1,
                                    .access_net = abi >= 4 ? 3 : 0,
                                    .scoped = abi >= 6 ? 3 : 0};
    const size_t n = abi >= 6 ? sizeof a : abi >= 4 ? 16 : 8;
    const long fd = syscall(NR_LANDLOCK_CREATE, &a, n, 0U);
    if (fd < 0)
        return vd_fail(err, VD_E_IO, "Landlock: %s", strerror(errno));
    const long rc = syscall(NR_LANDLOCK_RESTRICT, (int)fd, 0U);
    const int why = errno;
    close((int)fd);
    return rc ? vd_fail(err, VD_E_IO, "Landlock: %s", strerror(why)) : VD_OK;
}

static void drop_capabilities(void)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    (void)syscall(SYS_capset, &h, none); /* who has none may fail: then there is nothing to drop */
}

static void limit(int what, rlim_t most)
{
    struct rlimit r = {most, most}, now;
    if (getrlimit((__rlimit_resource_t)what, &now) == 0 && now.rlim_max < most)
        r.rlim_cur = r.rlim_max = now.rlim_max;
    (void)setrlimit((__rlimit_resource_t)what, &r);
}

vd_status vd_sandbox_enter(const struct vd_sandbox *s, struct vd_err *err)
{
    static struct program p;
    if (!ARCH)
        return vd_fail(err, VD_E_UNSUPPORTED, "no sandbox for this kind of processor");
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NOFILE, s->descriptors > 0 ? (rlim_t)s->descriptors : 32);
    limit(RLIMIT_NPROC, 0);
    limit(RLIMIT_MEMLOCK, 0);
    if (s->memory_bytes && !SANITIZED)
        limit(RLIMIT_AS, s->memory_bytes);
    drop_capabilities();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return vd_fail(err, VD_E_UNSUPPORTED, "no_new_privs: %s", strerror(errno));
    vd_status st = landlock(err);
    if (st)
        return st;
    p.n = 0;
    p.full = 0;
    build(&p, getpid());
    const struct sock_fprog prog = {.len = p.n, .filter = p.f};
    if (p.full || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog))
        return vd_fail(err, VD_E_UNSUPPORTED, "seccomp: %s", strerror(errno));
    return VD_OK;
}
