/* The record leaves the machine: exports that verify, checkpoints that arrive or are missed aloud.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "desk/desk_world.h"
#include "desk/send.h"
#include "law/audit_verify.h"

static void verify(const char *dir, vd_status want, char flip)
{
    static const char *const name[] = {"entries.jsonl", "checkpoints.txt", "keys.txt"};
    char path[200], *text[3];
    size_t n[3];
    struct vd_err err = {0};
    struct vd_audit_policy p;
    struct vd_audit_verdict v;
    for (int i = 0; i < 3; i++) {
        struct stat s;
        snprintf(path, sizeof path, "%s/%s", dir, name[i]);
        assert_int_equal(vd_file_read(&text[i], &n[i], path, 1 << 24, &err), VD_OK);
        assert_int_equal(stat(path, &s), 0);
        assert_int_equal(s.st_mode & 077, 0);
    }
    text[0][n[0] / 2] ^= flip;
    assert_int_equal(vd_audit_policy_parse(&p, text[2], n[2], &err), VD_OK);
    const struct vd_audit_export x = {
        .entries = text[0], .entries_bytes = n[0], .notes = text[1], .notes_bytes = n[1]};
    const vd_status st = vd_audit_verify(&p, &x, &v);
    if (st != want)
        fail_msg("%s", v.what);
    if (!st)
        assert_true(v.signed_size == v.entries); /* nothing above the checkpoint */
    for (int i = 0; i < 3; i++)
        free(text[i]);
}

static void auditors_export_alone(void **state)
{
    (void)state;
    struct vd_err err = {0};
    uint64_t n = 0;
    char dir[128];
    desk_begin();
    snprintf(dir, sizeof dir, "%s/export", dw.dir);
    assert_int_equal(vd_desk_export(dw.d, &dw.admin, dir, "curious", &n, &err), VD_E_DENIED);
    assert_int_equal(vd_desk_export(dw.d, &dw.operator_, dir, "curious", &n, &err), VD_E_DENIED);
    assert_int_equal(vd_desk_export(dw.d, &dw.auditor, dir, "", &n, &err), VD_E_INVAL);
    assert_int_not_equal(access(dir, F_OK), 0);
    assert_int_equal(desk_recorded(VD_AUDIT_ACCESS_REFUSED), 2);
    assert_int_equal(desk_recorded(VD_AUDIT_LOG_EXPORTED), 0);
    assert_int_equal(vd_desk_export(dw.d, &dw.auditor, dir, "inquiry 7", &n, &err), VD_OK);
    assert_true(n == vd_desk_record_size(dw.d));
    assert_int_equal(desk_recorded_with(VD_AUDIT_LOG_EXPORTED, "inquiry 7"), 1);
    verify(dir, VD_OK, 0);
    verify(dir, VD_E_MISMATCH, 1);
    /* never over another; the attempt is in the record */
    assert_int_equal(vd_desk_export(dw.d, &dw.auditor, dir, "again", &n, &err), VD_E_DENIED);
    assert_int_equal(desk_recorded_with(VD_AUDIT_LOG_EXPORTED, "again"), 1);
    verify(dir, VD_OK, 0);
    desk_end();
}

static void folders_keep_every_checkpoint(void **state)
{
    (void)state;
    struct vd_err err = {0};
    char dir[128], file[256], *text;
    size_t sent = 0, n;
    desk_begin();
    snprintf(dir, sizeof dir, "%s/away", dw.dir);
    const char *const place[] = {dir};
    assert_int_equal(vd_desk_anchor(dw.d, place, 1, 0, &sent, &err), VD_E_IO); /* not there */
    assert_int_equal(sent, 0);
    assert_int_equal(desk_recorded(VD_AUDIT_ANCHOR_FAILED), 1);
    assert_int_equal(mkdir(dir, 0700), 0);
    const unsigned long long size = vd_desk_record_size(dw.d);
    if (vd_desk_anchor(dw.d, place, 1, 0, &sent, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(sent, 1);
    assert_int_equal(desk_recorded_with(VD_AUDIT_ANCHOR_SENT, dir), 1);
    snprintf(file, sizeof file, "%s/%020llu.checkpoint", dir, size);
    assert_int_equal(vd_file_read(&text, &n, file, VD_NOTE_MAX, &err), VD_OK);
    struct vd_checkpoint cp;
    assert_int_equal(vd_checkpoint_parse(&cp, text, n, NULL, &err), VD_OK);
    assert_true(cp.size == size);
    /* the same again is fine; another history of the same size is evidence and stays */
    assert_int_equal(vd_send_note(dir, text, n, 1, &err), VD_OK);
    char *root = strchr(strchr(text, '\n') + 1, '\n') + 1;
    *root = *root == 'A' ? 'B' : 'A';
    assert_int_equal(vd_send_note(dir, text, n, 1, &err), VD_E_DENIED);
    free(text);
    desk_end();
}

/* --- a server that does as it is told --------------------------------------------------------- */

static struct {
    int fd, port, mute;
    const char *answer;
    char seen[16384];
    size_t n;
    pthread_t thread;
} srv;

static void *serve(void *opaque)
{
    (void)opaque;
    const int c = accept(srv.fd, NULL, NULL);
    while (c >= 0 && srv.n < sizeof srv.seen - 1) {
        const ssize_t k = recv(c, srv.seen + srv.n, sizeof srv.seen - 1 - srv.n, 0);
        if (k <= 0)
            break;
        srv.n += (size_t)k;
        srv.seen[srv.n] = '\0';
        const char *body = strstr(srv.seen, "\r\n\r\n");
        if (!srv.mute && body && strstr(body, "\xe2\x80\x94 "))
            for (size_t at = 0, all = strlen(srv.answer); at < all;) {
                const ssize_t w = send(c, srv.answer + at, all - at, MSG_NOSIGNAL);
                if (w <= 0)
                    break;
                at += (size_t)w;
            }
        if (!srv.mute && body && strstr(body, "\xe2\x80\x94 "))
            break;
    }
    if (c >= 0)
        close(c);
    return NULL;
}

static void listen_for(int type, const char *answer)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    memset(&srv, 0, sizeof srv);
    srv.answer = answer;
    srv.mute = !answer;
    srv.fd = socket(AF_INET, type, 0);
    assert_true(srv.fd >= 0);
    assert_int_equal(bind(srv.fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(srv.fd, (struct sockaddr *)&a, &n), 0);
    srv.port = ntohs(a.sin_port);
    if (type == SOCK_STREAM) {
        assert_int_equal(listen(srv.fd, 1), 0);
        assert_int_equal(pthread_create(&srv.thread, NULL, serve, NULL), 0);
    }
}

static vd_status post(const char *answer, int64_t timeout_ns, struct vd_err *err)
{
    char url[64];
    size_t sent = 9;
    listen_for(SOCK_STREAM, answer);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/anchor", srv.port);
    const char *const place[] = {url};
    const vd_status st = vd_desk_anchor(dw.d, place, 1, timeout_ns, &sent, err);
    pthread_join(srv.thread, NULL);
    close(srv.fd);
    assert_int_equal(sent, st ? 0 : 1);
    return st;
}

static void by_http(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct timespec a, b;
    static char endless[200000];
    desk_begin();
    if (post("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, &err))
        fail_msg("%s", err.msg);
    assert_non_null(strstr(srv.seen, "POST /anchor "));
    assert_non_null(strstr(srv.seen, "\r\n\r\nexample.org/desk\n"));
    assert_int_equal(desk_recorded(VD_AUDIT_ANCHOR_SENT), 1);
    /* refusals, elsewhere, silence and floods are failures, in the record */
    assert_int_equal(post("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 0, &err), VD_E_IO);
    assert_int_equal(post("HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\n"
                          "Content-Length: 0\r\n\r\n",
                          0, &err),
                     VD_E_IO);
    assert_non_null(strstr(err.msg, "answered 302")); /* not followed */
    const int head = snprintf(endless, sizeof endless, "HTTP/1.1 200 OK\r\n\r\n");
    memset(endless + head, 'x', sizeof endless - 1 - (size_t)head);
    assert_int_equal(post(endless, 0, &err), VD_E_IO);
    clock_gettime(CLOCK_MONOTONIC, &a);
    assert_int_equal(post(NULL, 300 * 1000000, &err), VD_E_IO);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true(b.tv_sec - a.tv_sec < 5);
    assert_int_equal(desk_recorded(VD_AUDIT_ANCHOR_SENT), 1);
    assert_int_equal(desk_recorded(VD_AUDIT_ANCHOR_FAILED), 4);
    desk_end();
}

static void by_syslog(void **state)
{
    (void)state;
    struct vd_err err = {0};
    char place[64], line[16384];
    size_t sent = 0;
    desk_begin();
    listen_for(SOCK_DGRAM, NULL);
    const struct timeval wait = {5, 0};
    setsockopt(srv.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    snprintf(place, sizeof place, "syslog://127.0.0.1:%d", srv.port);
    const char *const p[] = {place};
    if (vd_desk_anchor(dw.d, p, 1, 0, &sent, &err))
        fail_msg("%s", err.msg);
    const ssize_t n = recv(srv.fd, line, sizeof line - 1, 0);
    assert_true(n > 0);
    line[n] = '\0';
    assert_ptr_equal(strstr(line, "<110>1 - - vedette - checkpoint - "), line);
    close(srv.fd);
    /* what is no place is refused, and a password is not in the record */
    static const char *const bad[] = {"https://me:secret@example.org/", "ftp://x/", "here",
                                      "syslog://", "syslog://h:x"};
    assert_int_equal(vd_desk_anchor(dw.d, bad, 5, 0, &sent, &err), VD_E_INVAL);
    assert_int_equal(sent, 0);
    assert_int_equal(desk_recorded(VD_AUDIT_ANCHOR_FAILED), 5);
    assert_int_equal(desk_recorded_with(VD_AUDIT_ANCHOR_FAILED, "secret"), 0);
    desk_end();
}

/* --- a witness that shares no code with us ---------------------------------------------------- */

static struct {
    pid_t pid;
    char place[700], vkey[200];
} wit;

static void witness_start(const char *how)
{
    char log[VD_NOTE_VKEY_MAX], line[400] = "";
    int p[2], port = 0;
    vd_desk_record_key(dw.d, log);
    assert_int_equal(pipe(p), 0);
    wit.pid = fork();
    assert_true(wit.pid >= 0);
    if (!wit.pid) {
        dup2(p[1], 1);
        close(p[0]);
        close(p[1]);
        execlp("python3", "python3", "-B", "tests/desk/witness.py", log, how, (char *)NULL);
        _exit(99);
    }
    close(p[1]);
    FILE *f = fdopen(p[0], "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    fclose(f);
    assert_int_equal(sscanf(line, "%199s %d", wit.vkey, &port), 2);
    snprintf(wit.place, sizeof wit.place, "witness %s http://127.0.0.1:%d/w", wit.vkey, port);
}

static void witness_end(void)
{
    kill(wit.pid, SIGKILL);
    waitpid(wit.pid, NULL, 0);
}

/* An export, judged with the witness's key had from the witness: a quorum of one is there. */
static void verify_witnessed(const char *dir, uint64_t at_least)
{
    char path[200], keys[500], log[VD_NOTE_VKEY_MAX], *entries, *notes;
    size_t en, nn;
    struct vd_err err = {0};
    struct vd_audit_policy p;
    struct vd_audit_verdict v;
    vd_desk_record_key(dw.d, log);
    const int n = snprintf(keys, sizeof keys, "log %s\nwitness %s\nquorum 1\n", log, wit.vkey);
    assert_int_equal(vd_audit_policy_parse(&p, keys, (size_t)n, &err), VD_OK);
    snprintf(path, sizeof path, "%s/entries.jsonl", dir);
    assert_int_equal(vd_file_read(&entries, &en, path, 1 << 24, &err), VD_OK);
    snprintf(path, sizeof path, "%s/checkpoints.txt", dir);
    assert_int_equal(vd_file_read(&notes, &nn, path, 1 << 20, &err), VD_OK);
    const struct vd_audit_export x = {
        .entries = entries, .entries_bytes = en, .notes = notes, .notes_bytes = nn};
    if (vd_audit_verify(&p, &x, &v))
        fail_msg("%s", v.what);
    assert_true(v.witnessed && v.witnessed_size >= at_least && v.witnessed_size < v.entries);
    /* without the witness's signature there is no quorum: the export is refused */
    char *sig = strstr(notes, "witness.example/w1 ");
    assert_non_null(sig);
    sig[30] = sig[30] == 'A' ? 'B' : 'A';
    assert_int_equal(vd_audit_verify(&p, &x, &v), VD_E_MISMATCH);
    free(entries);
    free(notes);
}

static void witnesses_sign(void **state)
{
    (void)state;
    struct vd_err err = {0};
    char dir[128], away[128];
    size_t sent = 0;
    uint64_t n = 0;
    desk_begin();
    witness_start("right");
    snprintf(away, sizeof away, "%s/away", dw.dir);
    assert_int_equal(mkdir(away, 0700), 0);
    const char *const place[] = {away, wit.place};
    /* three times: the first is 0 entries for it, then it remembers and says so */
    uint64_t size = 0;
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 10 * i * i; k++)
            assert_int_equal(vd_desk_note(dw.d, "x", NULL, VD_AUDIT_RECORD_READ, NULL, 0, &err), 0);
        size = vd_desk_record_size(dw.d);
        if (vd_desk_anchor(dw.d, place, 2, 0, &sent, &err))
            fail_msg("%d: %s", i, err.msg);
        assert_int_equal(sent, 2);
    }
    assert_int_equal(desk_recorded_with(VD_AUDIT_ANCHOR_SENT, "witness.example"), 3);
    /* the folder was named first and still got what the witness had signed */
    char file[256], *text;
    size_t bytes;
    snprintf(file, sizeof file, "%s/%020llu.checkpoint", away, (unsigned long long)size);
    assert_int_equal(vd_file_read(&text, &bytes, file, VD_NOTE_MAX, &err), VD_OK);
    assert_non_null(strstr(text, "witness.example/w1 "));
    free(text);
    desk_reopen(); /* kept */
    snprintf(dir, sizeof dir, "%s/export", dw.dir);
    assert_int_equal(vd_desk_export(dw.d, &dw.auditor, dir, "inquiry 8", &n, &err), VD_OK);
    verify_witnessed(dir, size);
    witness_end();
    assert_int_equal(vd_desk_anchor(dw.d, place + 1, 1, 0, &sent, &err), VD_E_IO); /* gone */
    assert_int_equal(desk_recorded(VD_AUDIT_ANCHOR_FAILED), 1);
    desk_end();
}

/* More than 1,024 entries: hashes of whole tiles go into the proof. */
static void witnesses_of_long_records(void **state)
{
    (void)state;
    struct vd_err err = {0};
    size_t sent = 0;
    desk_begin();
    witness_start("right");
    const char *const place[] = {wit.place};
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 300; k++)
            assert_int_equal(vd_desk_note(dw.d, "x", NULL, VD_AUDIT_RECORD_READ, NULL, 0, &err), 0);
        if (vd_desk_anchor(dw.d, place, 1, 0, &sent, &err))
            fail_msg("%d: %s", i, err.msg);
    }
    witness_end();
    desk_end();
}

static void witnesses_that_lie(void **state)
{
    (void)state;
    struct vd_err err = {0};
    size_t sent = 0;
    desk_begin();
    witness_start("wrong");
    const char *const place[] = {wit.place};
    assert_int_equal(vd_desk_anchor(dw.d, place, 1, 0, &sent, &err), VD_E_DENIED);
    assert_int_equal(desk_recorded(VD_AUDIT_WITNESS_REFUSED), 1);
    witness_end();
    desk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auditors_export_alone),
        cmocka_unit_test(folders_keep_every_checkpoint),
        cmocka_unit_test(by_http),
        cmocka_unit_test(by_syslog),
        cmocka_unit_test(witnesses_sign),
        cmocka_unit_test(witnesses_of_long_records),
        cmocka_unit_test(witnesses_that_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
