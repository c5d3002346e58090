/* A decoder that is no longer ours: it speaks the protocol, and lies. What it does stands in the
 * URL's path. Built for test_media_decoder.c only. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "media/broker.h"

#define CONTROL 3

static struct vd_msg m, answer;
static struct vd_child_config g;
static uint8_t *map;
static uint32_t slots;
static size_t slot_bytes;

static void say(uint32_t kind, int32_t a, int32_t b, uint64_t t, const void *data, size_t n)
{
    memset(&m, 0, sizeof m);
    m.kind = kind;
    m.v[0] = a;
    m.v[1] = b;
    m.t = t;
    m.bytes = (uint32_t)n;
    if (n)
        memcpy(m.data, data, n);
    if (vd_msg_send(CONTROL, &m, -1))
        _exit(0);
}

static int hear(int *fd)
{
    if (vd_msg_recv(CONTROL, &answer, fd, 2000))
        _exit(0);
    return answer.v[0];
}

static void opened(int w, int h, double fps)
{
    const struct vd_child_opened o = {.kind = VD_SOURCE_LIVE,
                                      .width_px = w,
                                      .height_px = h,
                                      .frames_per_second = fps,
                                      .codec = "h264"};
    say(VD_MSG_OPENED, 0, 0, 0, &o, sizeof o);
}

static void ring(int32_t bytes)
{
    int fd = -1;
    say(VD_MSG_NEED_RING, bytes, 0, 0, NULL, 0);
    hear(&fd);
    slots = (uint32_t)answer.v[0];
    slot_bytes = (size_t)answer.v[1];
    map = mmap(NULL, VD_RING_HEAD_BYTES + slots * slot_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
               fd, 0);
    if (map == MAP_FAILED)
        _exit(0);
    if (ftruncate(fd, 0) == 0) /* (1) of ring.h */
        say(VD_MSG_LOG, 0, 0, 0, "SHRUNK", 6);
    close(fd);
}

static struct vd_slot_head *slot(uint32_t i)
{
    return (struct vd_slot_head *)(void *)(map + VD_RING_HEAD_BYTES + i * slot_bytes);
}

/* A good picture of 64 x 48 in slot i. */
static struct vd_slot_head *picture(uint32_t i, uint64_t seq)
{
    struct vd_slot_head *h = slot(i);
    const struct vd_image img = {.format = VD_PIX_I420, .width_px = 64, .height_px = 48};
    memset(h, 0, sizeof *h);
    (void)vd_slot_layout(&img, h);
    h->seq_begin = h->seq_end = seq;
    h->mono_ns = 1;
    h->wall_ns = 1;
    return h;
}

static int is(const char *url, const char *what)
{
    const char *slash = strrchr(url, '/');
    return slash && strcmp(slash + 1, what) == 0;
}

/* Each changes one field of a good header. */
static void spoil(struct vd_slot_head *h, const char *url)
{
    if (is(url, "torn"))
        h->seq_end--;
    else if (is(url, "width"))
        h->width_px = 1 << 30;
    else if (is(url, "negative"))
        h->height_px = -48;
    else if (is(url, "format"))
        h->format = 77;
    else if (is(url, "stride"))
        h->stride_bytes[0] = -64;
    else if (is(url, "offset"))
        h->offset[2] = (uint32_t)slot_bytes - 8;
    else if (is(url, "header"))
        h->offset[0] = 0;
    else if (is(url, "time"))
        h->pts_ms = -1;
    else if (is(url, "yuv"))
        h->yuv = -1;
}

static void frames(const char *url)
{
    opened(64, 48, 25);
    ring(64 * 48 * 3 / 2 + 4096);
    spoil(picture(0, 1), url);
    if (is(url, "slot"))
        say(VD_MSG_FRAME, 99, 0, 1, NULL, 0);
    if (is(url, "sequence"))
        say(VD_MSG_FRAME, 0, 0, 5, NULL, 0);
    say(VD_MSG_FRAME, is(url, "minus") ? -1 : 0, 0, 1, NULL, 0);
    if (is(url, "again")) { /* the parent still holds it: look.c and the test keep frames */
        usleep(300000);
        picture(0, 2);
        say(VD_MSG_FRAME, 0, 0, 2, NULL, 0);
    }
    if (is(url, "good-then-crash"))
        abort();
    sleep(10);
}

/* Names the steps that went another way than they should. */
#define CHECK(x)                                                                                   \
    do {                                                                                           \
        n++;                                                                                       \
        if (!(x))                                                                                  \
            snprintf(wrong + strlen(wrong), sizeof wrong - strlen(wrong), " step %d", n);          \
    } while (0)

static void network(void)
{
    struct sockaddr_in elsewhere = {.sin_family = AF_INET, .sin_port = 0x5000};
    char data[sizeof elsewhere + 8] = "";
    int fd = -1, n = 0;
    char wrong[200] = "";

    elsewhere.sin_addr.s_addr = 0x08080808;
    memcpy(data, &elsewhere, sizeof elsewhere);
    say(VD_MSG_SOCKET, AF_UNIX, SOCK_STREAM, 0, NULL, 0);
    CHECK(hear(&fd) != 0 && fd < 0);
    say(VD_MSG_SOCKET, AF_INET, SOCK_RAW, 0, NULL, 0);
    CHECK(hear(&fd) != 0 && fd < 0);
    say(VD_MSG_SOCKET, AF_INET, SOCK_STREAM, 0, NULL, 0);
    CHECK(hear(&fd) == 0 && fd >= 0);
    say(VD_MSG_CONNECT, answer.v[1], 0, 0, data, sizeof elsewhere); /* another host */
    CHECK(hear(&fd) != 0);
    memcpy(data, &g.address[0], sizeof elsewhere);
    memcpy(&elsewhere, data, sizeof elsewhere);
    elsewhere.sin_port =
        (in_port_t)(elsewhere.sin_port + 1); /* the camera, another port: ssh, say */
    memcpy(data, &elsewhere, sizeof elsewhere);
    say(VD_MSG_CONNECT, 0, 0, 0, data, sizeof elsewhere);
    CHECK(hear(&fd) != 0);
    say(VD_MSG_CONNECT, 0, 0, 0, data, 3); /* half an address */
    CHECK(hear(&fd) != 0);
    say(VD_MSG_CONNECT, 99, 0, 0, data, sizeof elsewhere); /* no such socket */
    CHECK(hear(&fd) != 0);
    say(VD_MSG_SOCKET, AF_INET, SOCK_DGRAM, 0, NULL, 0);
    CHECK(hear(&fd) == 0);
    elsewhere.sin_addr.s_addr = 0x08080808;
    memcpy(data, &elsewhere, sizeof elsewhere);
    say(VD_MSG_SENDTO, 1, (int32_t)sizeof elsewhere, 0, data, sizeof data);
    CHECK(hear(&fd) != 0);
    say(VD_MSG_SENDTO, 1, 1 << 30, 0, data, sizeof data);
    CHECK(hear(&fd) != 0);
    m = (struct vd_msg){.kind = VD_MSG_BIND, .v = {1, AF_INET, 53}}; /* a port of the system's */
    if (vd_msg_send(CONTROL, &m, -1))
        _exit(0);
    CHECK(hear(&fd) != 0);
    for (int i = 0; i < 100; i++) { /* as many as it likes: no */
        say(VD_MSG_SOCKET, AF_INET, SOCK_DGRAM, 0, NULL, 0);
        if (hear(&fd) == 0 && i > VD_BROKER_SOCKETS)
            CHECK(0);
        if (fd >= 0)
            close(fd);
    }
    const char *text = *wrong ? wrong : "network: all refused";
    say(VD_MSG_END, VD_E_IO, 0, 0, text, strlen(text));
    _exit(0);
}

int main(void)
{
    static char url[VD_MSG_BYTES + 1];
    int fd;
    if (vd_msg_recv(CONTROL, &m, &fd, 5000) || m.kind != VD_MSG_CONFIG)
        return 2;
    memcpy(&g, m.data, sizeof g);
    memcpy(url, m.data + sizeof g, g.url_bytes);
    if (is(url, "crash"))
        abort();
    if (is(url, "exit"))
        _exit(0);
    if (is(url, "sandbox"))
        (void)!write(CONTROL, "", 0), raise(31); /* SIGSYS, as seccomp's */
    if (is(url, "silent"))
        sleep(60);
    if (is(url, "deaf")) {
        close(CONTROL);
        sleep(60);
    }
    if (is(url, "short"))
        (void)!write(CONTROL, "abc", 3);
    if (is(url, "long")) {
        static char big[20000];
        (void)!write(CONTROL, big, sizeof big);
    }
    if (is(url, "kind"))
        say(4711, 0, 0, 0, NULL, 0);
    if (is(url, "early"))
        say(VD_MSG_FRAME, 0, 0, 1, NULL, 0);
    if (is(url, "huge"))
        say(VD_MSG_NEED_RING, 0x7fffffff, 0, 0, NULL, 0);
    if (is(url, "minus-ring"))
        say(VD_MSG_NEED_RING, -5, 0, 0, NULL, 0);
    if (is(url, "rings"))
        for (int i = 0; i < 100; i++)
            ring(5000);
    if (is(url, "size"))
        opened(1 << 30, 5, 25);
    if (is(url, "rate"))
        opened(64, 48, (double)NAN);
    if (is(url, "words")) {
        const char *text =
            "hunter2 \xff\xc2\x9b\xe2\x28\xa1 \x1b[31m \n rtsp://ada:hunter2@h/x?token=hunter2";
        say(VD_MSG_LOG, 0, 0, 0, text, strlen(text));
        say(VD_MSG_END, VD_E_IO, 0, 0, text, strlen(text));
        _exit(0);
    }
    if (is(url, "flood"))
        for (;;)
            say(VD_MSG_LOG, 0, 0, 0, "x", 1);
    if (is(url, "network"))
        network();
    frames(url);
    return 0;
}
