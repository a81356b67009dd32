import Foundation

/// The newest update for a reader that is slower than the frames: those that it did not take are merged,
/// with all their events and drops.
final class UpdateSlot: Sendable {
    private struct State {
        var pending: CountUpdate?
        var reader: CheckedContinuation<CountUpdate?, Never>?
        var ended = false
    }

    /// As in the core: events that nobody takes are kept up to this number, the oldest dropped first.
    static let maxEvents = 65_536

    private let state = Guarded(State())

    func put(_ update: CountUpdate) {
        let reader = state.use { state -> CheckedContinuation<CountUpdate?, Never>? in
            if let reader = state.reader {
                state.reader = nil
                return reader
            }
            state.pending = state.pending.map { UpdateSlot.merged($0, update) } ?? update
            return nil
        }
        reader?.resume(returning: update)
    }

    func end() {
        let reader = state.use { state -> CheckedContinuation<CountUpdate?, Never>? in
            state.ended = true
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: nil)
    }

    func next() async -> CountUpdate? {
        await withCheckedContinuation { continuation in
            let ready = state.use { state -> CountUpdate?? in
                if let update = state.pending {
                    state.pending = nil
                    return update
                }
                if state.ended { return .some(nil) }
                state.reader = continuation
                return nil
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    private static func merged(_ before: CountUpdate, _ now: CountUpdate) -> CountUpdate {
        var merged = now
        merged.events = Array((before.events + now.events).suffix(maxEvents))
        merged.dropped = before.dropped + now.dropped
        return merged
    }
}

/// The readers of a counter's updates.
final class UpdateSlots: Sendable {
    private struct Reference {
        weak var slot: UpdateSlot?
    }

    private struct State {
        var slots: [Reference] = []
        var ended = false
    }

    private let state = Guarded(State())

    func stream() -> AsyncStream<CountUpdate> {
        let slot = UpdateSlot()
        let ended = state.use { state in
            state.slots.removeAll { $0.slot == nil }
            state.slots.append(Reference(slot: slot))
            return state.ended
        }
        if ended { slot.end() }
        return AsyncStream { await slot.next() } onCancel: { slot.end() }
    }

    func put(_ update: CountUpdate) {
        for slot in live() { slot.put(update) }
    }

    func end() {
        state.use { $0.ended = true }
        for slot in live() { slot.end() }
    }

    private func live() -> [UpdateSlot] {
        state.use { state in state.slots.compactMap(\.slot) }
    }
}
