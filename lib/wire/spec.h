/* SPDX-License-Identifier: MIT */
/* spec.h - Spec, ResourceRequest and IdRanges of model.proto, to and from the model. Seen by lib/wire/ only. */
#ifndef HQI_WIRE_SPEC_H
#define HQI_WIRE_SPEC_H

#include "model/spec.h"
#include "wire/model.pb-c.h"
#include "wire/pb.h"

/* `tasks`: with ids and entries. NULL: failed. */
Hqcore__Spec *hqi_wire_spec_make(struct encode *e, const struct spec *s, bool tasks);
/* A heap object of its own; NULL: failed, or `in` is missing. Without `tasks`, ids and entries are ignored. */
struct spec *hqi_wire_spec_read(struct decode *d, const Hqcore__Spec *in, bool tasks);

Hqcore__IdRanges *hqi_wire_spec_make_ids(struct encode *e, const hq_range *v, uint32_t n);
/* In the order given, checked one by one; *count is the number of ids. NULL message: none. */
bool hqi_wire_spec_read_ids(struct decode *d, const char *field, const Hqcore__IdRanges *in,
                            const hq_range **ret, uint32_t *n_ret, uint32_t *count);
/* The same as a set in `mem`. */
bool hqi_wire_spec_read_set(struct decode *d, const char *field, const Hqcore__IdRanges *in,
                            struct arena *mem, struct intset *ret);

Hqcore__ResourceRequest *hqi_wire_spec_make_request(struct encode *e, const struct resource_request *r);
bool hqi_wire_spec_read_request(struct decode *d, const Hqcore__ResourceRequest *in, struct resource_request *ret);
Hqcore__Stdio *hqi_wire_spec_make_stdio(struct encode *e, const struct stdio_spec *s);
Hqcore__EnvVar **hqi_wire_spec_make_env(struct encode *e, const struct env_var *v, uint32_t n);
bool hqi_wire_spec_read_env(struct decode *d, const char *field, Hqcore__EnvVar **in, size_t n,
                            const struct env_var **ret, uint32_t *n_ret);

#endif
