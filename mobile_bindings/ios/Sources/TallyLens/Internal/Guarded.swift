import Foundation

/// The one place where state is shared between threads: only one of them is inside at a time.
///
/// `@unchecked Sendable`, because the compiler cannot see that `state` is only touched under the lock;
/// `Mutex` of the standard library needs iOS 18. The closures cannot leak the state: what they return
/// is sendable.
final class Guarded<State>: @unchecked Sendable {
    private let lock = NSLock()
    private var state: State

    init(_ state: State) { self.state = state }

    func use<R: Sendable, E: Error>(_ body: (inout State) throws(E) -> R) throws(E) -> R {
        lock.lock()
        defer { lock.unlock() }
        return try body(&state)
    }
}
