/* SPDX-License-Identifier: MPL-2.0 */
/*
 * audit - kept keys that are in the sample, each estimate beside its truth.
 *
 * Two keys of one 64-bit hash would be taken for one; the first that is met is checked then. Only memory can fail. Used
 * by whoever answers questions.
 */
#include "audit.h"

#include <stdlib.h>
#include <string.h>

static uint64_t size_of(const struct flow_sampled *flow, uint8_t unit)
{
	return unit == SKETCH_BYTES ? flow->bytes : flow->packets;
}

static void share_add(struct audit_share *share, uint64_t error, uint64_t truth)
{
	share->checked++;
	share->relative_error += ((double)error / (double)truth - share->relative_error) / (double)share->checked;
}

static void audit_key(struct audit *audit, const struct population_source *source, uint64_t estimate, uint64_t truth)
{
	double total = (double)(source->ranks == SKETCH_BYTES ? source->quality.bytes : source->quality.packets);
	uint64_t error = estimate > truth ? estimate - truth : truth - estimate;
	double is_within = error <= source->quality.error_bound;

	audit->checked++;
	audit->mean_error += ((double)error - audit->mean_error) / (double)audit->checked;
	audit->within_bound += (is_within - audit->within_bound) / (double)audit->checked;
	if (error > audit->largest_error)
		audit->largest_error = error;
	if ((double)truth > total * 1e-4)
		share_add(&audit->above_100ppm, error, truth);
	if ((double)truth > total * 1e-3)
		share_add(&audit->above_1000ppm, error, truth);
}

static void audit_unlisted(struct audit *audit, const struct population_source *source, uint64_t truth)
{
	audit->unlisted++;
	if (truth > audit->unlisted_largest)
		audit->unlisted_largest = truth;
	if (truth > source->quality.listed_above)
		audit->missing++;
}

int audit_of(const struct population_source *source, struct audit *audit, struct error *err)
{
	bool *is_kept = calloc(source->sample_count + 1, sizeof(*is_kept));

	memset(audit, 0, sizeof(*audit));
	if (!is_kept)
		return error_set(err, ERROR_INTERNAL, "audit: out of memory");
	audit->sampled = source->sample_count;
	for (size_t i = 0; i < source->kept_count; i++) {
		size_t index = population_find(source, source->kept[i].hash);

		if (index == SIZE_MAX || is_kept[index])
			continue;
		is_kept[index] = true;
		audit_key(audit, source, size_of(&source->kept[i], source->ranks),
			  size_of(&source->sample[index], source->ranks));
	}
	for (size_t i = 0; i < source->sample_count; i++) {
		if (!is_kept[i])
			audit_unlisted(audit, source, size_of(&source->sample[i], source->ranks));
	}
	if (audit->checked == 0)
		audit->within_bound = 1;
	free(is_kept);
	return 0;
}

int audit_read(const struct sketch *sketch, struct audit *audit, struct error *err)
{
	struct population_source source;
	int result;

	if (population_source_read(sketch, &source, err) < 0)
		return -1;
	result = audit_of(&source, audit, err);
	population_source_clear(&source);
	return result;
}
