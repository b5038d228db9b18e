//===- CpuFeatures.cpp - cpuid and xgetbv, read literally -----------------===//
// Source: Intel SDM volume 2A, CPUID; volume 1, section 14.3 (XCR0).

#include "runtime/hal/cpu/CpuFeatures.h"

#include <cpuid.h>
#include <span>
#include <string>

namespace tenon::hal {
namespace {

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

/// The leaf, or zeros where the processor has none.
Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

uint64_t readXcr0() {
  uint32_t low, high;
  // The intrinsic needs -mxsave; the runtime is built for plain x86-64.
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low | static_cast<uint64_t>(high) << 32;
}

struct Bit {
  const char *name;
  uint32_t word;
  uint32_t bit;
};

/// The names of the bits that are not set.
std::string missing(std::span<const Bit> bits) {
  std::string names;
  for (const Bit &bit : bits)
    if (!(bit.word >> bit.bit & 1))
      names += std::string(names.empty() ? "" : ", ") + bit.name;
  return names;
}

} // namespace

StatusOr<base::CpuFeatures> detectCpuFeatures() {
  Registers one = cpuid(1, 0), seven = cpuid(7, 0), sevenOne = cpuid(7, 1);
  Registers extended = cpuid(0x80000001, 0);
  bool osxsave = one.ecx >> 27 & 1;
  uint64_t xcr0 = osxsave ? readXcr0() : 0;
  const Bit v3[] = {{"SSE3", one.ecx, 0},      {"FMA", one.ecx, 12},
                    {"SSE4.2", one.ecx, 20},   {"MOVBE", one.ecx, 22},
                    {"POPCNT", one.ecx, 23},   {"AVX", one.ecx, 28},
                    {"F16C", one.ecx, 29},     {"BMI1", seven.ebx, 3},
                    {"AVX2", seven.ebx, 5},    {"BMI2", seven.ebx, 8},
                    {"LZCNT", extended.ecx, 5}};
  std::string lacking = missing(v3);
  if (!lacking.empty() || (xcr0 & 0x6) != 0x6)
    return unavailable("expects a processor of x86-64-v3; it lacks ",
                       lacking.empty() ? "saved AVX state" : lacking);
  const Bit v4[] = {{"AVX512F", seven.ebx, 16},
                    {"AVX512DQ", seven.ebx, 17},
                    {"AVX512CD", seven.ebx, 28},
                    {"AVX512BW", seven.ebx, 30},
                    {"AVX512VL", seven.ebx, 31}};
  if (!missing(v4).empty() || (xcr0 & 0xe6) != 0xe6)
    return base::CpuFeatures::V3;
  const Bit vnni[] = {{"AVX512_VNNI", seven.ecx, 11},
                      {"AVX512_BF16", sevenOne.eax, 5}};
  return missing(vnni).empty() ? base::CpuFeatures::V4Vnni
                               : base::CpuFeatures::V4;
}

} // namespace tenon::hal
