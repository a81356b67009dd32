import SwiftUI

/// Counts who crosses a line in the camera's picture.
@main
struct SampleApp: App {
    @StateObject private var model = CountModel()
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup {
            CountView(model: model)
                .task { await model.run() }
        }
        .onChange(of: phase) { phase in
            if phase != .active { model.save() }
        }
    }
}
