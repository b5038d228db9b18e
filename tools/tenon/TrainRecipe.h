//===- TrainRecipe.h - A recipe as flags and as a file ----------*- C++ -*-===//

#ifndef TENON_TOOLS_TRAINRECIPE_H
#define TENON_TOOLS_TRAINRECIPE_H

#include "training/Recipe.h"

namespace CLI {
class App;
} // namespace CLI

namespace tenon::tools {

/// Declares a flag for every option of a recipe; `recipe` must outlive the
/// parse.
void addRecipeOptions(CLI::App &app, training::Recipe &recipe);

/// Sets what a TOML file says and no flag of `app`, which was parsed, has set.
/// Errors: NOT_FOUND (the file), INVALID_ARGUMENT (no TOML; a key that is no
///         option, listing those there are; a value of another type).
Status readRecipe(CLI::App &app, const std::string &path);

} // namespace tenon::tools
#endif // TENON_TOOLS_TRAINRECIPE_H
