/* Log lines for people, on stderr. Counts, never faces: no template, crop or name of a stranger. */
#ifndef VD_BASE_LOG_H
#define VD_BASE_LOG_H

#include "vedette/status.h"

enum vd_log_level { VD_LOG_ERROR = 0, VD_LOG_WARN = 1, VD_LOG_INFO = 2, VD_LOG_DEBUG = 3 };

/** Programs set a level and, if they like, a sink; the library is silent until then. */
void vd_log_setup(enum vd_log_level max, void (*sink)(enum vd_log_level, const char *line, void *),
                  void *opaque);
void vd_log(enum vd_log_level level, const char *fmt, ...) VD_PRINTF(2, 3);

#endif
