import SwiftUI
import TallyLens

/// The preview with boxes, the line that can be dragged, and the totals.
struct CountView: View {
    @ObservedObject var model: CountModel
    @State private var dragged: Double?

    var body: some View {
        GeometryReader { place in
            let scale = CountView.scale(place.size)
            ZStack(alignment: .topLeading) {
                CameraPreview(session: model.session)
                ForEach(model.tracks, id: \.trackID) { track in
                    TrackBox(track: track, scale: scale)
                }
                line(scale)
                TotalsView(report: model.report, level: model.level, note: model.note)
            }
        }
        .ignoresSafeArea()
    }

    private func line(_ scale: CGFloat) -> some View {
        let height = CountModel.frame.height * scale
        return Rectangle()
            .fill(Color.yellow)
            .frame(width: CountModel.frame.width * scale, height: 6)
            .offset(x: 0, y: (dragged ?? model.line.y1) * height - 3)
            .gesture(
                DragGesture()
                    .onChanged { dragged = $0.location.y / height }
                    .onEnded { drag in
                        dragged = nil
                        Task { await model.move(to: drag.location.y / height) }
                    })
    }

    /// Points per pixel of the picture, which is shown whole.
    private static func scale(_ size: CGSize) -> CGFloat {
        min(size.width / CountModel.frame.width, size.height / CountModel.frame.height)
    }
}

/// The box of one object, with its class and number.
private struct TrackBox: View {
    let track: Track
    let scale: CGFloat

    var body: some View {
        Text("\(track.className) \(track.trackID)")
            .font(.caption)
            .foregroundColor(.yellow)
            .frame(
                width: CGFloat(track.x2 - track.x1) * scale,
                height: CGFloat(track.y2 - track.y1) * scale, alignment: .topLeading
            )
            .border(Color.yellow, width: 2)
            .offset(x: CGFloat(track.x1) * scale, y: CGFloat(track.y1) * scale)
    }
}

/// The totals, what was dropped, and what heat leaves.
private struct TotalsView: View {
    let report: CountReport?
    let level: Level
    let note: String

    var body: some View {
        VStack(alignment: .leading) {
            if let report {
                ForEach(report.lines, id: \.name) { line in
                    Text("in \(line.crossedIn.values.reduce(0, +))")
                    Text("out \(line.crossedOut.values.reduce(0, +))")
                }
                Text("\(report.frames) frames, \(report.dropped) dropped, \(report.skipped) left out")
            }
            Text(level.paused ? "too hot: paused" : "1 frame in \(level.rate) \(level.reason)")
            Text(note).font(.caption)
        }
        .padding()
        .foregroundColor(.white)
        .background(Color.black.opacity(0.5))
    }
}
