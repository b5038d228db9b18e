//===- DescribeCpu.cpp - The machine that this is -------------------------===//
// Source: the Linux kernel's
// Documentation/ABI/testing/sysfs-devices-system-cpu.

#include "runtime/hal/cpu/DescribeCpu.h"

#include <fstream>
#include <sched.h>

namespace tenon::hal {
namespace {

/// "32K" or "36608K" or "2M", in bytes; 0 for anything else.
int64_t parseSize(const std::string &text) {
  char *unit = nullptr;
  int64_t size = std::strtoll(text.c_str(), &unit, 10);
  switch (*unit) {
  case 'K':
    return size << 10;
  case 'M':
    return size << 20;
  case '\0':
    return size;
  default:
    return 0;
  }
}

std::string readLine(const std::string &path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

} // namespace

base::TargetDescription describeCpu() {
  base::TargetDescription description;
  cpu_set_t usable;
  int first = 0;
  if (sched_getaffinity(0, sizeof(usable), &usable) == 0) {
    description.threads = CPU_COUNT(&usable);
    while (first < CPU_SETSIZE - 1 && !CPU_ISSET(first, &usable))
      ++first;
  }
  for (int index = 0;; ++index) {
    std::string folder = concat("/sys/devices/system/cpu/cpu", first,
                                "/cache/index", index, "/");
    std::string level = readLine(folder + "level");
    if (level.empty())
      return description;
    int64_t size = parseSize(readLine(folder + "size"));
    if (size <= 0 || readLine(folder + "type") == "Instruction")
      continue;
    if (level == "1")
      description.l1Bytes = size;
    else if (level == "2")
      description.l2Bytes = size;
    else if (level == "3")
      description.l3Bytes = size;
  }
}

} // namespace tenon::hal
