//===- Machine.cpp - The machine that schedules are made for --------------===//

#include "tools/tenon/Machine.h"

#include "runtime/base/Hash.h"
#include "runtime/hal/cpu/DescribeCpu.h"
#include "runtime/io/MappedFile.h"

#include <CLI/CLI.hpp>

namespace tenon::tools {

void addScheduleOptions(CLI::App &app, ScheduleOptions &options,
                        const char *group) {
  app.add_option("--machine", options.machine,
                 "Machine whose threads and caches kernels are cut for: host, "
                 "generic, or a file of them. Does not change the text")
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  app.add_option("--tuning", options.tuning,
                 "Cut kernels as this file of `tenon tune` says. Does not "
                 "change the text")
      ->type_name("FILE")
      ->group(group);
}

StatusOr<base::TargetDescription> describeMachine(const std::string &name) {
  if (name == "host")
    return hal::describeCpu();
  if (name == "generic")
    return base::TargetDescription();
  StatusOr<io::MappedFile> file = io::MappedFile::open(name);
  if (!file.ok())
    return Status(file.status().code(),
                  concat("expects --machine to be host, generic or a file, got "
                         "'",
                         name, "': ", file.status().message()));
  auto bytes = file->bytes();
  StatusOr<base::TargetDescription> description = base::parseTargetDescription(
      {reinterpret_cast<const char *>(bytes.data()), bytes.size()});
  if (!description.ok())
    return invalidArgument("'", name, "': ", description.status().message());
  return description;
}

StatusOr<std::string> tuningDigest(const std::string &path) {
  if (path.empty())
    return std::string("none");
  TENON_ASSIGN_OR_RETURN(io::MappedFile file, io::MappedFile::open(path));
  base::Hash128 hash =
      base::hashBytes(file.bytes().data(), file.bytes().size());
  return concat(hash.high, ",", hash.low);
}

} // namespace tenon::tools
