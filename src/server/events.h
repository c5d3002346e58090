/* Server-sent events: the record as it grows.
 *
 * EVENTS
 * (1) An event's id is the number of its entry in the record, which is durable: a client that comes
 *     back with Last-Event-ID gets what it missed, however long it was away, once each, in order.
 * (2) A client holds no memory but its position. The newest VD_EVENTS_RING are kept as text; what
 *     is older is read from the store. A client that does not read is dropped by http.h (1).
 * (3) Who acted, verdicts and names are not in an event: the second reviewer stays blind (R31), and
 *     looking is an act of its own (R40). Alerts go to those who may see alerts.
 * (4) A stream ends after ten minutes, so that who lost the right to it does not keep it. */
#ifndef VD_SERVER_EVENTS_H
#define VD_SERVER_EVENTS_H

#include "desk/desk.h"
#include "server/http.h"

#define VD_EVENTS_RING    512
#define VD_EVENTS_CLIENTS 200

struct vd_events;
VD_MUST_CHECK vd_status vd_events_open(struct vd_events **out, struct vd_desk *d,
                                       struct vd_err *err);
/** End all streams; they see it within a second. Before vd_http_close(). */
void vd_events_stop(struct vd_events *e);
void vd_events_close(struct vd_events **e);
/** Look for new entries; call every 10 ms or so from one thread. */
void vd_events_tick(struct vd_events *e);
/** Answer with a stream. alerts: may this person see them? */
void vd_events_stream(struct vd_events *e, struct vd_request *r, int alerts);
struct vd_events_counts {
    uint64_t sent, streams;
    uint32_t clients;
};
void vd_events_counts(struct vd_events *e, struct vd_events_counts *out);
/** One entry of the record as an event ("id: ...\nevent: ...\ndata: {...}\n\n"), or nothing.
 * @return its length; *alert: it is about an alert. */
size_t vd_event_format(const char *entry, size_t n, char *buf, size_t cap, int *alert);

#endif
