/* Hides VNNI from the code of this process that asks CPUID: each of its CPUID instructions is
 * replaced by UD2, and the signal handler answers in its place. x86-64 Linux only. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static const uint8_t kCpuid[2] = {0x0f, 0xa2}, kUndefined[2] = {0x0f, 0x0b};
static const uint32_t kAvx512Vnni = 1u << 11; /* leaf 7.0, ECX */
static const uint32_t kAvxVnni = 1u << 4;     /* leaf 7.1, EAX */
static const uint32_t kAvxVnniInt8 = 1u << 4; /* leaf 7.1, EDX */

static void answer(int signal, siginfo_t* info, void* context) {
  greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  if (memcmp((const void*)registers[REG_RIP], kUndefined, 2) != 0) _exit(128 + signal);
  const uint32_t leaf = (uint32_t)registers[REG_RAX], part = (uint32_t)registers[REG_RCX];
  uint32_t a, b, c, d;
  (void)info;
  __cpuid_count(leaf, part, a, b, c, d);
  if (leaf == 7 && part == 0) c &= ~kAvx512Vnni;
  if (leaf == 7 && part == 1) {
    a &= ~kAvxVnni;
    d &= ~kAvxVnniInt8;
  }
  registers[REG_RAX] = a;
  registers[REG_RBX] = b;
  registers[REG_RCX] = c;
  registers[REG_RDX] = d;
  registers[REG_RIP] += 2;
}

/* Replace the CPUID instructions at `addresses`; the number of those replaced. */
int hide_vnni(const uintptr_t* addresses, size_t count) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO;
  if (sigaction(SIGILL, &action, NULL) != 0) return -1;
  int replaced = 0;
  for (size_t i = 0; i < count; ++i) {
    uint8_t* code = (uint8_t*)addresses[i];
    void* start = (void*)(addresses[i] / page * page);
    if (memcmp(code, kCpuid, 2) != 0) continue;
    if (mprotect(start, 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) return -1;
    memcpy(code, kUndefined, 2);
    ++replaced;
  }
  return replaced;
}
