/*===- tenon/device.h - What programs run on ------------------------------===//
 *
 *   tenon_device_options_t options = TENON_DEVICE_OPTIONS_INIT;
 *   options.threads = 2;
 *   tenon_device_t *device;
 *   tenon_status_t status = tenon_device_open("cpu", &options, &device);
 *===----------------------------------------------------------------------===*/

#ifndef TENON_DEVICE_H
#define TENON_DEVICE_H

#include "tenon/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tenon_device tenon_device_t;

/* Zero stands for the default of every field but the first. */
typedef struct tenon_device_options_t {
  size_t size_bytes; /* of this struct, as the caller was compiled with it */
  uint32_t threads;  /* with the calling one; 0: all the process may use */
  const int *cpus;   /* worker i is bound to cpus[i]; the caller's thread not */
  size_t cpu_count;
} tenon_device_options_t;

#define TENON_DEVICE_OPTIONS_INIT {sizeof(tenon_device_options_t), 0, NULL, 0}

/* Opens the device named by `uri`: "cpu". `options` may be NULL.
 *
 * Owns:    on success the caller owns one reference to `*out_device`; on
 *          failure it is NULL.
 * Threads: any.
 * Errors:  INVALID_ARGUMENT (malformed uri or options), NOT_FOUND (no such
 *          device), RESOURCE_EXHAUSTED (threads). */
TENON_API TENON_CHECKED tenon_status_t
tenon_device_open(const char *uri, const tenon_device_options_t *options,
                  tenon_device_t **out_device);

/* Returns how many workers a launch may use. Threads: any. */
TENON_API uint32_t tenon_device_workers(const tenon_device_t *device);

/* Adds one reference. Threads: any. */
TENON_API void tenon_device_retain(tenon_device_t *device);

/* Drops one reference; NULL is ignored. Threads: any. */
TENON_API void tenon_device_release(tenon_device_t *device);

#ifdef __cplusplus
}
#endif

#endif /* TENON_DEVICE_H */
