//===- ProgramOptions.cpp - Options of commands that run models -----------===//

#include "tools/tenon/ProgramOptions.h"

#include <CLI/CLI.hpp>

namespace tenon::tools {

/// What changes the text.
static void addNumerics(CLI::App &app, ProgramRequest &request,
                        const char *group) {
  app.add_option("--cache-type", request.cacheType,
                 "Element type of the attention caches; all but f32 change "
                 "the text. Default: the model's")
      ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0"}))
      ->group(group);
  app.add_option("--latent-attention", request.latents,
                 "Of DeepSeek models: absorbed, over the latents that are "
                 "cached, or materialised, over the keys and values made of "
                 "them: faster prompts, larger caches, slower in long "
                 "contexts. Changes the text in its last bits. Default: "
                 "absorbed, where the weights are made for it")
      ->check(CLI::IsMember({"absorbed", "materialised"}))
      ->group(group);
  app.add_option("--activations", request.activations,
                 "Activations of products: f32; bf16: rounded where they "
                 "meet bf16 weights; q8: quantised where they meet blocked "
                 "ones, multiplied in integers. Changes the text")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "q8"}))
      ->group(group);
}

void addProgramOptions(CLI::App &app, ProgramRequest &request) {
  const char *group = "Machine";
  app.add_option("MODEL", request.model,
                 "A .gguf file, a .safetensors file or its folder, or a "
                 ".tenon file")
      ->required();
  app.add_option("--threads", request.threads,
                 "Threads that compute; 0: one for each CPU. Does not change "
                 "the text")
      ->capture_default_str()
      ->check(CLI::Range(0, 4096))
      ->group(group);
  app.add_option("--affinity", request.cpus,
                 "CPUs to run threads on: the i-th thread on the i-th of them, "
                 "but for the first, which the system places. Default: the "
                 "system places all")
      ->delimiter(',')
      ->check(CLI::Range(0, 4095))
      ->type_name("CPU,...")
      ->group(group);
  app.add_option("--cpu", request.cpu,
                 "Use no more than this feature set; default: the best that "
                 "the machine runs")
      ->check(CLI::IsMember({"v3", "v4", "v4-vnni"}))
      ->group(group);
  addNumerics(app, request, group);
  app.add_option("--adapter", request.adapter,
                 "Compute with this adapter beside the weights: a folder that "
                 "PEFT or `tenon train` wrote")
      ->type_name("FOLDER")
      ->group(group);
  addScheduleOptions(app, request.schedules, group);
  app.add_option("--weights", request.weights,
                 "The weights of a .tenon file; default: those it embeds or "
                 "refers to")
      ->type_name("FILE")
      ->group(group);
  app.add_flag("--no-cache", request.skipCache,
               "Compile anew and keep nothing; default: keep compiled "
               "programs in ${TENON_CACHE:-~/.cache/tenon}")
      ->group(group);
}

} // namespace tenon::tools
