/* The decoder process: its sandbox, what its parent believes of it, and what becomes of the camera.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "media/broker.h"
#include "media/media_tools.h"
#include "media/sandbox.h"

static int64_t now_ns(void)
{
    const struct vd_clock *c = vd_clock_system();
    return c->mono_ns(c->opaque);
}

/* --- the sandbox ----------------------------------------------------------------------------- */

static int pair_fd[2];

static void *nothing(void *arg)
{
    return arg;
}

static void try_open(void)
{
    (void)!open("/etc/passwd", O_RDONLY);
}
static void try_old_open(void)
{
#ifdef SYS_open
    (void)!syscall(SYS_open, "/dev/null", O_RDONLY);
#else
    try_open();
#endif
}
static void try_create(void)
{
    (void)!open("/tmp/vedette-escaped", O_CREAT | O_WRONLY, 0600);
}
static void try_unlink(void)
{
    unlink("/tmp/vedette-escaped");
}
static void try_stat(void)
{
    (void)!access("/etc/passwd", R_OK);
}
static void try_socket(void)
{
    (void)!syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}
static void try_unix_socket(void)
{
    (void)!syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}
static void try_connect(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = 0x5000};
    (void)!syscall(SYS_connect, pair_fd[0], &a, sizeof a);
}
static void try_bind(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    (void)!syscall(SYS_bind, pair_fd[0], &a, sizeof a);
}
static void try_sendto(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = 0x5000};
    (void)!sendto(pair_fd[0], "x", 1, 0, (struct sockaddr *)&a, sizeof a);
}
static void try_sendmsg(void)
{
    struct msghdr h = {0};
    (void)!sendmsg(pair_fd[0], &h, 0);
}
static void try_exec(void)
{
    char *const argv[] = {(char[]){"sh"}, NULL};
    execve("/bin/sh", argv, NULL);
}
static void try_fork(void)
{
    if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0)
        _exit(0);
}
static void try_thread(void)
{
    pthread_t t;
    if (pthread_create(&t, NULL, nothing, NULL) == 0)
        pthread_join(t, NULL);
}
static void try_ptrace(void)
{
    ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}
static void try_peek(void)
{
    char c;
    struct iovec a = {&c, 1}, b = {&c, 1};
    (void)!process_vm_readv(getppid(), &a, 1, &b, 1, 0);
}
static void try_kill(void)
{
    kill(getppid(), SIGUSR1);
}
static void try_signal_other(void)
{
    syscall(SYS_tgkill, getppid(), getppid(), SIGABRT);
}
static void try_own(void)
{
    fcntl(pair_fd[0], F_SETOWN, getppid());
}
static void try_dup(void)
{
    (void)!dup(0);
}
static void try_memfd(void)
{
    (void)!memfd_create("x", 0);
}
static void try_exec_page(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)p;
}
static void try_make_exec(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(p, 4096, PROT_READ | PROT_EXEC);
}
static void try_ioctl(void)
{
    syscall(SYS_ioctl, 0, 0x5412, "x"); /* TIOCSTI: type into the terminal */
}
static void try_uring(void)
{
    syscall(425, 1, NULL);
}
static void try_bpf(void)
{
    syscall(SYS_bpf, 0, NULL, 0);
}
static void try_limits(void)
{
    struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_NOFILE, &r);
}
static void try_keys(void)
{
    syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}
static void try_namespace(void)
{
    syscall(SYS_unshare, 0x10000000);
}
static void try_mount(void)
{
    syscall(SYS_mount, "", "/", "", 0, "");
}
static void try_prctl(void)
{
    syscall(SYS_prctl, 4, 1, 0, 0, 0); /* dumpable again */
}
static void try_number(void)
{
    syscall(100000);
}
#ifdef __x86_64__
static void try_x32(void)
{
    syscall(0x40000000L | SYS_getpid);
}
#endif

static void work(void)
{
    char buf[64];
    size_t n = 1 << 24;
    char *p = malloc(n);
    struct iovec io = {buf, sizeof buf};
    if (!p)
        _exit(9);
    memset(p, 1, n);
    free(p);
    if (write(pair_fd[0], "hello", 5) != 5 || read(pair_fd[1], buf, sizeof buf) != 5 ||
        send(pair_fd[0], "x", 1, 0) != 1 || readv(pair_fd[1], &io, 1) != 1)
        _exit(9);
    fcntl(pair_fd[0], F_SETFL, O_NONBLOCK);
    if (setsockopt(pair_fd[0], SOL_SOCKET, SO_ATTACH_FILTER, buf, sizeof buf) != -1)
        _exit(9);
}

/* @return how the child ended: signal, or 1000 + status. */
static int in_sandbox(void (*what)(void))
{
    int ws = 0;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        const struct vd_sandbox box = {.memory_bytes = (size_t)4 << 30, .descriptors = 32};
        struct vd_err err;
        if (vd_sandbox_enter(&box, &err)) {
            (void)!write(2, err.msg, strlen(err.msg));
            _exit(8);
        }
        what();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &ws, 0), pid);
    return WIFSIGNALED(ws) ? WTERMSIG(ws) : 1000 + WEXITSTATUS(ws);
}

/* What decoding takes works; everything else ends the process, at once. */
static void test_sandbox(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*what)(void);
    } tries[] = {
        {"open", try_open},
        {"open by its old number", try_old_open},
        {"create", try_create},
        {"unlink", try_unlink},
        {"access", try_stat},
        {"socket", try_socket},
        {"unix socket", try_unix_socket},
        {"connect", try_connect},
        {"bind", try_bind},
        {"sendto with an address", try_sendto},
        {"sendmsg", try_sendmsg},
        {"exec", try_exec},
        {"fork", try_fork},
        {"thread", try_thread},
        {"ptrace", try_ptrace},
        {"process_vm_readv", try_peek},
        {"kill", try_kill},
        {"tgkill of another", try_signal_other},
        {"F_SETOWN", try_own},
        {"dup", try_dup},
        {"memfd", try_memfd},
        {"executable page", try_exec_page},
        {"page made executable", try_make_exec},
        {"ioctl", try_ioctl},
        {"io_uring", try_uring},
        {"bpf", try_bpf},
        {"limits", try_limits},
        {"keys", try_keys},
        {"namespace", try_namespace},
        {"mount", try_mount},
        {"prctl", try_prctl},
        {"unknown call", try_number},
#ifdef __x86_64__
        {"x32 call", try_x32},
#endif
    };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair_fd), 0);
    assert_int_equal(in_sandbox(work), 1000);
    assert_int_equal(in_sandbox(abort), SIGABRT); /* a crash looks like one */
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        const int how = in_sandbox(tries[i].what);
        if (how != SIGSYS)
            print_error("%s: ended by %d instead of SIGSYS\n", tries[i].name, how);
        assert_int_equal(how, SIGSYS);
    }
    print_message("%zu forbidden calls, all fatal; Landlock ABI %d\n", sizeof tries / sizeof *tries,
                  vd_sandbox_landlock());
    close(pair_fd[0]);
    close(pair_fd[1]);
}

/* --- headers --------------------------------------------------------------------------------- */

static uint64_t seed = 0x9e3779b97f4a7c15u;
static uint32_t rnd(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

/* Whatever a header says, what is accepted lies in its slot: the last byte of every row is read. */
static void test_headers(void **state)
{
    (void)state;
    static const vd_pixfmt formats[] = {VD_PIX_I420, VD_PIX_NV12, VD_PIX_GRAY8, VD_PIX_RGB8};
    static uint8_t memory[1 << 16];
    struct vd_slot_head h;
    struct vd_err err;
    unsigned accepted = 0, sum = 0;
    for (int n = 0; n < 400000; n++) {
        struct vd_image img = {.format = formats[rnd() % 4],
                               .width_px = 1 + (int)(rnd() % 150),
                               .height_px = 1 + (int)(rnd() % 120)},
                        out;
        memset(&h, 0, sizeof h);
        const size_t need = vd_slot_layout(&img, &h);
        assert_true(need > 0);
        h.seq_begin = h.seq_end = 7;
        for (unsigned k = rnd() % 4; k > 0; k--) { /* spoil some words */
            uint32_t word = rnd() % 4 ? rnd() % 70000 : rnd();
            if (rnd() % 3 == 0)
                word = (uint32_t[]){0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 65536}[rnd() % 6];
            memcpy((uint8_t *)&h + 8 + rnd() % 12 * 4, &word, 4);
        }
        const size_t bytes = 4096 * (1 + rnd() % 16);
        if (vd_slot_check(&h, memory, bytes, 7, &out, &err)) {
            assert_true(err.msg[0]);
            continue;
        }
        accepted++;
        assert_int_equal(vd_image_check(&out), VD_OK);
        for (int p = 0; p < 3 && out.plane[p]; p++) {
            const int rows =
                p && out.format >= VD_PIX_I420 ? (out.height_px + 1) / 2 : out.height_px;
            const int w = out.format == VD_PIX_RGB8 || out.format == VD_PIX_BGR8 ? 3 * out.width_px
                          : p && out.format == VD_PIX_I420 ? (out.width_px + 1) / 2
                          : p                              ? (out.width_px + 1) / 2 * 2
                                                           : out.width_px;
            const uint8_t *last = out.plane[p] + (rows - 1) * out.stride_bytes[p] + w - 1;
            assert_true(out.plane[p] >= memory + VD_SLOT_HEAD_BYTES);
            assert_true(last + VD_PAD < memory + bytes);
            sum += *last;
        }
    }
    print_message("%u of 400000 headers accepted (%u)\n", accepted, sum);
    assert_true(accepted > 40000 && accepted < 300000);
}

/* --- a hostile decoder ----------------------------------------------------------------------- */

static char said[1 << 16];
static size_t said_n;

static void on_line(enum vd_log_level level, const char *line, void *opaque)
{
    (void)level;
    (void)opaque;
    const size_t n = strlen(line);
    if (said_n + n < sizeof said)
        memcpy(said + said_n, line, n + 1), said_n += n;
}

static const char *evil(const char *what)
{
    static char url[200];
    snprintf(url, sizeof url, "rtsp://ada:hunter2@127.0.0.1:9/%s", what);
    return url;
}

/* Read for a while, keeping what comes. */
static int read_for(struct vd_source *s, int64_t ns, struct vd_source_info *info)
{
    const int64_t until = now_ns() + ns;
    struct vd_frame *f, *kept[64];
    int n = 0;
    while (now_ns() < until) {
        struct vd_err err;
        const vd_status st = vd_source_read(s, &f, &err);
        if (st == VD_OK && n < 64)
            kept[n++] = f;
        else if (st == VD_OK)
            vd_frame_unref(&f);
        else
            assert_int_equal(st, VD_E_AGAIN);
        vd_source_get_info(s, info);
        if (info->crashes)
            break;
    }
    for (int i = 0; i < n; i++) {
        assert_int_equal(vd_image_check(&kept[i]->image), VD_OK);
        vd_frame_unref(&kept[i]);
    }
    return n;
}

/* Every lie is found out, costs the decoder its life, and counts as a crash; the parent goes on. */
static void test_lies(void **state)
{
    (void)state;
    static const char *const lies[] = {
        "crash",      "exit",   "sandbox",        "short", "long",  "kind",     "early",  "huge",
        "rings",      "size",   "rate",           "torn",  "width", "negative", "format", "stride",
        "offset",     "header", "time",           "yuv",   "slot",  "sequence", "minus",  "again",
        "minus-ring", "deaf",   "good-then-crash"};
    const struct vd_source_options o = {.later = 1, .max_reconnects = -1};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct vd_source *s = NULL;
        struct vd_source_info info = {0};
        struct vd_err err = {0};
        assert_int_equal(vd_source_open(&s, evil(lies[i]), &o, &err), VD_OK);
        const int frames = read_for(s, INT64_C(3000000000), &info);
        if (info.crashes != 1)
            print_error("%s: %llu crashes (%s)\n", lies[i], (unsigned long long)info.crashes,
                        info.why);
        assert_int_equal(info.crashes, 1);
        assert_int_equal(frames, !strcmp(lies[i], "again") || !strcmp(lies[i], "good-then-crash"));
        assert_true(info.why[0]);
        assert_null(strstr(info.why, "hunter2"));
        vd_source_close(&s);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* neither child nor zombie */
        assert_int_equal(errno, ECHILD);
    }
}

/* It may ask for the network, and gets its camera only. */
static void test_network(void **state)
{
    (void)state;
    struct vd_source *s = NULL;
    struct vd_err err = {0};
    assert_int_equal(vd_source_open(&s, evil("network"), NULL, &err), VD_E_IO);
    assert_string_equal(err.msg, "network: all refused");
}

/* What it says of secrets is not passed on; a flood of words is no way to stop us. */
static void test_words(void **state)
{
    (void)state;
    struct vd_source *s = NULL;
    struct vd_err err = {0};
    const struct vd_source_options o = {.open_timeout_ns = INT64_C(1000000000)};
    vd_log_setup(VD_LOG_DEBUG, on_line, NULL);
    assert_int_equal(vd_source_open(&s, evil("words"), &o, &err), VD_E_IO);
    const int64_t t = now_ns();
    assert_int_equal(vd_source_open(&s, evil("flood"), &o, &(struct vd_err){0}), VD_E_IO);
    assert_true(now_ns() - t < INT64_C(4000000000));
    vd_log_setup(VD_LOG_ERROR, NULL, NULL);
    assert_null(strstr(err.msg, "hunter2"));
    assert_null(strchr(err.msg, '\x1b'));
    for (const char *c = err.msg; *c; c++) /* what was no UTF-8 is now a question mark */
        assert_true((unsigned char)*c < 0x80 && (unsigned char)*c >= 32);
    assert_true(said_n > 0);
    assert_null(strstr(said, "hunter2"));
    assert_null(strstr(said, "SHRUNK"));
}

/* Another decoder within a second of each crash; after five in a minute the camera is left alone.
 */
static void test_quarantine(void **state)
{
    (void)state;
    const struct vd_source_options o = {.later = 1, .max_reconnects = -1};
    struct vd_source *s = NULL;
    struct vd_source_info info = {0};
    struct vd_frame *f;
    struct vd_err err;
    uint64_t crashes = 0;
    int64_t crashed_at = 0, worst = 0;
    int pid = 0, starts = 0;
    assert_int_equal(vd_source_open(&s, evil("crash"), &o, &err), VD_OK);
    for (int64_t end = now_ns() + INT64_C(10000000000);
         now_ns() < end && info.state != VD_CAMERA_QUARANTINED;) {
        assert_int_equal(vd_source_read(s, &f, &err), VD_E_AGAIN);
        vd_source_get_info(s, &info);
        if (info.decoder_pid && info.decoder_pid != pid) {
            starts++;
            if (crashed_at && now_ns() - crashed_at > worst)
                worst = now_ns() - crashed_at;
        }
        pid = info.decoder_pid;
        if (info.crashes > crashes)
            crashed_at = now_ns();
        crashes = info.crashes;
    }
    print_message("%d starts, each at most %.2f s after the crash; then %s\n", starts,
                  (double)worst / 1e9, vd_camera_state_name(info.state));
    assert_int_equal(info.state, VD_CAMERA_QUARANTINED);
    assert_int_equal(info.crashes, 5);
    assert_true(worst < INT64_C(1000000000));
    for (int64_t end = now_ns() + INT64_C(1000000000); now_ns() < end;)
        assert_int_equal(vd_source_read(s, &f, &err), VD_E_AGAIN);
    vd_source_get_info(s, &info);
    assert_int_equal(info.crashes, 5); /* left alone */
    vd_source_close(&s);
}

/* A camera that answers whoever asks, but has nothing to show. */
static void *answer_all(void *arg)
{
    static const char ok[] = "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n";
    const int fd = *(int *)arg;
    for (int c; (c = accept(fd, NULL, NULL)) >= 0; close(c)) {
        char text[400];
        if (recv(c, text, sizeof text, 0) > 0)
            (void)!send(c, ok, sizeof ok - 1, MSG_NOSIGNAL);
    }
    return NULL;
}

/* It is asked every second for as long as that lasts: otherwise it would be back long before we
 * are. */
static void test_answering(void **state)
{
    (void)state;
    const struct vd_source_options o = {.later = 1, .max_reconnects = -1};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    pthread_t camera;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    assert_int_equal(pthread_create(&camera, NULL, answer_all, &fd), 0);
    char url[100];
    snprintf(url, sizeof url, "rtsp://ada:hunter2@127.0.0.1:%d/network", ntohs(a.sin_port));
    struct vd_source *s = NULL;
    struct vd_source_info info = {0};
    struct vd_frame *f;
    struct vd_err err;
    uint64_t seen = 0;
    int64_t at = now_ns(), worst = 0;
    assert_int_equal(vd_source_open(&s, url, &o, &err), VD_OK);
    for (const int64_t end = at + INT64_C(40000000000); now_ns() < end && seen < 11;) {
        assert_int_equal(vd_source_read(s, &f, &err), VD_E_AGAIN);
        vd_source_get_info(s, &info);
        if (info.reconnects > seen) {
            worst = seen && now_ns() - at > worst ? now_ns() - at : worst;
            at = now_ns();
            seen = info.reconnects;
        }
    }
    print_message("%d attempts, at most %.2f s apart (%s)\n", (int)seen, (double)worst / 1e9,
                  info.why);
    assert_int_equal(seen, 11);
    assert_true(worst < INT64_C(2500000000)); /* backing off it would have been 3 s and more */
    vd_source_close(&s);
    shutdown(fd, SHUT_RDWR);
    pthread_join(camera, NULL);
    close(fd);
}

/* Hosts and ports as libav takes them from a URL: what we let through is what it asks for. */
static void test_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
        int port;
    } cases[] = {
        {"rtsp://cam/x", "cam", 554},
        {"rtsp://cam:8554/x", "cam", 8554},
        {"rtsps://cam", "cam", 322},
        {"http://u:p@cam/x?y=z@w", "cam", 80},
        {"https://u:p@w@cam:1/", "cam", 1},
        {"rtsp://[fe80::1]:554/s", "fe80::1", 554},
        {"rtsp://u:p@[::1]/s", "::1", 554},
        {"RTSP://10.0.0.7", "10.0.0.7", 554},
        {"rtsp://cam:0/x", NULL, 0},
        {"rtsp://cam:65536/x", NULL, 0},
        {"rtsp://cam:x/x", NULL, 0},
        {"rtsp:///x", NULL, 0},
        {"rtsp://[::1/x", NULL, 0},
        {"file:///etc/passwd", NULL, 0},
        {"cam", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char host[64] = "";
        uint16_t port = 0;
        const vd_status st = vd_url_host(cases[i].url, host, sizeof host, &port);
        assert_int_equal(st, cases[i].host ? VD_OK : VD_E_INVAL);
        if (!st) {
            assert_string_equal(host, cases[i].host);
            assert_int_equal(port, cases[i].port);
        }
    }
}

/* User name and password in each form in which libav writes them. */
static void test_scrub(void **state)
{
    (void)state;
    static const char url[] = "rtsp://ada:hun%2Fter2@cam:554/s";
    static const char *const lines[] = {"Authorization: Basic YWRhOmh1bi90ZXIy",
                                        "failed: ada:hun/ter2",
                                        "password hun/ter2!",
                                        "password hun%2Fter2!",
                                        "user ada",
                                        "rtsp://ada:hun%2Fter2@cam:554/s failed"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char line[200];
        snprintf(line, sizeof line, "%s", lines[i]);
        vd_url_scrub(url, line);
        assert_true(strlen(line) <= strlen(lines[i]));
        assert_null(strstr(line, "ter2"));
        assert_null(strstr(line, "ada"));
        assert_null(strstr(line, "YWRh"));
    }
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGUSR1, SIG_IGN);
    setenv("VEDETTE_DECODER", EVIL_DECODER, 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sandbox),   cmocka_unit_test(test_headers),
        cmocka_unit_test(test_lies),      cmocka_unit_test(test_network),
        cmocka_unit_test(test_words),     cmocka_unit_test(test_quarantine),
        cmocka_unit_test(test_answering), cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_scrub),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
