//===- Machine.cpp - The machine that schedules are made for --------------===//

#include "tools/tenon/Machine.h"

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

} // namespace tenon::tools
