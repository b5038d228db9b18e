//===- Config.cpp - The sizes of a Qwen2 model ----------------------------===//

#include "models/qwen/Config.h"

namespace tenon::models::qwen {

absl::StatusOr<Config> readConfig(const ModelFiles &files) {
  ConfigReader read(files);
  Config c;
  c.readSizes(files, read, 0);
  c.rope.theta = read.number("rope.freq_base", "rope_theta", 1e4);
  c.tied = !files.has(files.isGguf() ? "output.weight" : "lm_head.weight");
  std::string scaling =
      read.text("rope.scaling.type", "rope_scaling.rope_type", "none");
  read.expect(scaling == "none" || scaling == "default",
              "expects rope without scaling, got '" + scaling + "'");
  read.expect(!read.flag("use_sliding_window", false),
              "expects attention without a sliding window, got one");
  if (!read.status().ok())
    return read.status();
  return c;
}

} // namespace tenon::models::qwen
