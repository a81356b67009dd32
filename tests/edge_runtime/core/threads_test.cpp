// Two handles of each kind in two threads at the same time, for ThreadSanitizer (run.sh). The
// header promises that they share nothing that one of them writes.
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "tally.h"

namespace {

/// Bytes of all results, so that the threads can be compared.
using Results = std::vector<uint8_t>;

void append(Results& results, const void* data, size_t size) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  results.insert(results.end(), bytes, bytes + size);
}

void scale(Results& results) {
  tally_preprocessor* preprocessor = nullptr;
  tally_preprocessor_create(&preprocessor);
  std::mt19937 random(1);
  for (int round = 0; round < 24; ++round) {
    const int side = 60 + round % 3;
    std::vector<uint8_t> pixels(2 * side * side);
    for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random());
    tally_image image{};
    image.struct_size = sizeof image;
    image.format = TALLY_NV21;
    image.width = image.height = side;
    image.rotation = round % 4 * 90;
    image.strides[0] = side;
    image.strides[1] = (side + 1) / 2 * 2;
    image.planes[0] = pixels.data();
    image.planes[1] = pixels.data() + side * side;
    image.plane_bytes[0] = image.plane_bytes[1] = static_cast<size_t>(side) * side;
    std::vector<uint8_t> input(48 * 64 * 4);
    tally_tensor tensor{};
    tensor.struct_size = sizeof tensor;
    tensor.width = 64;
    tensor.height = 48;
    tensor.channels = TALLY_CHANNELS_BGRA;
    tensor.data = input.data();
    tensor.bytes = input.size();
    tally_letterbox letterbox;
    if (tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) == TALLY_OK)
      append(results, input.data(), input.size());
  }
  tally_preprocessor_destroy(preprocessor);
}

void decode(Results& results) {
  tally_decoder_options options{};
  options.struct_size = sizeof options;
  tally_decoder_defaults(&options);
  options.num_classes = 3;
  tally_decoder* decoder = nullptr;
  tally_decoder_create(&options, &decoder, nullptr, 0);
  std::mt19937 random(2);
  const float anchors[] = {10, 13, 16, 30};
  const tally_letterbox letterbox{1, 1, 0, 0, 64, 64};
  for (int round = 0; round < 24; ++round) {
    std::vector<int8_t> values(8 * 8 * 16);
    for (int8_t& value : values) value = static_cast<int8_t>(random());
    tally_head head{};
    head.struct_size = sizeof head;
    head.dtype = TALLY_INT8;
    head.width = head.height = head.stride = 8;
    head.scale = 0.05f;
    head.data = values.data();
    head.bytes = values.size();
    head.anchors = anchors;
    head.num_anchors = 2;
    std::vector<tally_detection> found(300);
    int32_t count = 0;
    if (tally_decoder_run(decoder, &head, 1, &letterbox, found.data(), 300, &count) == TALLY_OK)
      append(results, found.data(), count * sizeof(tally_detection));
  }
  tally_decoder_destroy(decoder);
}

void count(Results& results) {
  tally_counter_options options{};
  options.struct_size = sizeof options;
  tally_counter_defaults(&options);
  options.num_classes = 3;
  options.frame_width = 640;
  options.frame_height = 480;
  tally_counter* counter = nullptr;
  tally_counter_create(&options, &counter, nullptr, 0);
  const tally_point ends[] = {{0, 240}, {640, 240}};
  int32_t index = 0;
  tally_counter_add_region(counter, "line", ends, 2, nullptr, &index);
  for (int frame = 0; frame < 300; ++frame) {
    std::vector<tally_detection> found;
    for (int i = 0; i < 6; ++i) {
      const auto x = static_cast<float>(90 * i), y = static_cast<float>((3 * frame + 50 * i) % 420);
      found.push_back({x, y, x + 40, y + 60, 0.8f, i % 3});
    }
    tally_counter_update(counter, frame * int64_t{40'000'000}, found.data(), 6);
    tally_counter_update(counter, 0, found.data(), 6);  // refused: texts of errors are made, too
  }
  size_t size = 0;
  tally_counter_save(counter, nullptr, 0, &size);
  Results state(size);
  if (tally_counter_save(counter, state.data(), size, &size) == TALLY_OK)
    append(results, state.data(), size);
  tally_counter_destroy(counter);
}

void work(Results& results) {
  for (int round = 0; round < 4; ++round) {
    scale(results);
    decode(results);
    count(results);
  }
}

}  // namespace

int main() {
  Results first, second;
  std::thread one([&] { work(first); }), two([&] { work(second); });
  one.join();
  two.join();
  const bool same = first == second && first.size() > 100'000;
  std::printf("threads: %zu bytes of results, %s\n", first.size(), same ? "the same" : "DIFFERENT");
  return same ? 0 : 1;
}
