/// Sides of a model's input in pixels.
struct InputSize: Hashable {
    var width: Int
    var height: Int

    var pixels: Int { width * height }

    /// How large a frame is in this input.
    func scale(_ frameWidth: Int, _ frameHeight: Int) -> Double {
        min(Double(height) / Double(frameHeight), Double(width) / Double(frameWidth))
    }
}

extension ModelMetadata {
    /// The input of the file.
    var ownInput: InputSize { InputSize(width: inputWidth, height: inputHeight) }

    /// The rectangle that holds whole frames: a 16:9 camera needs 40% fewer multiply-adds that way than
    /// with a square. The model's own size where the rectangle would show frames smaller or have more
    /// pixels.
    func fittingInput(_ frameWidth: Int, _ frameHeight: Int) -> InputSize {
        let own = ownInput
        let scale = Double(max(inputWidth, inputHeight)) / Double(max(frameWidth, frameHeight))
        let best = InputSize(
            width: whole(Double(frameWidth) * scale), height: whole(Double(frameHeight) * scale))
        let fits =
            best.pixels <= own.pixels
            && best.scale(frameWidth, frameHeight) >= own.scale(frameWidth, frameHeight)
        return fits ? best : own
    }

    /// `side` rounded up to a multiple of the largest stride.
    private func whole(_ side: Double) -> Int {
        let stride = strides.max()!
        return max(1, Int((side / Double(stride) - 1e-6).rounded(.up))) * stride
    }
}
