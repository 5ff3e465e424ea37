/* SPDX-License-Identifier: MPL-2.0 */
/*
 * vector - which levels this processor has.
 *
 * A level is there when the processor and the operating system have all units that its file was compiled for.
 * Answers come from what the C library found at the program's start, so asking is cheap and needs no state.
 */
#include "vector.h"

#include <stdbool.h>

#include "vector_levels.h"

#ifdef __x86_64__
/* clang has no name for VAES here; no processor has the wide carry-less multiply without it. Asking the processor
 * itself would take microseconds on a virtual machine. */
#ifdef __clang__
#define VAES "vpclmulqdq"
#else
#define VAES "vaes"
#endif

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("aes") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
}

static bool has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports(VAES);
}

static const struct vector_kernels *x86_kernels(enum vector_level level)
{
	if (level == VECTOR_SSE42)
		return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("aes") ? &vector_sse42 : NULL;
	if (level == VECTOR_AVX2)
		return has_avx2() ? &vector_avx2 : NULL;
	if (level == VECTOR_AVX512)
		return has_avx512() ? &vector_avx512 : NULL;
	return NULL;
}
#else
static const struct vector_kernels *x86_kernels(enum vector_level level)
{
	(void)level;
	return NULL;
}
#endif

const struct vector_kernels *vector_kernels(enum vector_level level)
{
	return level == VECTOR_SCALAR ? &vector_scalar : x86_kernels(level);
}

const struct vector_kernels *vector_kernels_best(void)
{
	for (unsigned int level = VECTOR_LEVELS; level-- > VECTOR_SCALAR;) {
		const struct vector_kernels *kernels = vector_kernels((enum vector_level)level);

		if (kernels)
			return kernels;
	}
	return &vector_scalar;
}
