// For shared libraries that hold their own libstdc++: its handler of uncaught exceptions prints the
// exception's name, and brings 50 KB of demangler for it. No exception leaves the core (handle.h).
#include <cstdlib>

namespace __gnu_cxx {
void __verbose_terminate_handler();
void __verbose_terminate_handler() { std::abort(); }
}  // namespace __gnu_cxx
