#include <stdio.h>
#include "vectors.h"            /* npx vsmmu vectors --format c > vectors.h */

/* The code under test: yours. */
static uint64_t my_stream_id(const uint64_t record[4]) { return record[0] >> 32; }
static uint64_t my_is_read(const uint64_t record[4])   { return record[1] >> 35 & 1; }

int main(void)
{
    int bad = 0;

    for (int i = 0; i < VSMMU_EVENTS; i++) {
        const struct vsmmu_event *v = &vsmmu_events[i];
        uint64_t want;

        if (vsmmu_field_value(v->fields, "StreamID", &want))
            bad += my_stream_id(v->record) != want;
        if (vsmmu_field_value(v->fields, "RnW", &want))
            bad += my_is_read(v->record) != want;
    }
    printf("%d events, %d differences\n", VSMMU_EVENTS, bad);
    return bad != 0;
}
