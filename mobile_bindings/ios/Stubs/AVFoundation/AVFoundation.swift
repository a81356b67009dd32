// Declarations of AVFoundation that the package uses, as Swift imports them, and those of Foundation
// that Linux lacks.
@_exported import CoreMedia
import Foundation
import UIKit

public struct AVMediaType: Hashable, Sendable { public static let video = AVMediaType() }

public class AVCaptureDevice: @unchecked Sendable {
    public struct DeviceType: Hashable, Sendable {
        public static let builtInWideAngleCamera = DeviceType()
    }
    public enum Position: Int, Sendable {
        case unspecified = 0
        case back = 1
        case front = 2
    }
    nonisolated(unsafe) public static var isAllowed = true
    nonisolated(unsafe) public static var device: AVCaptureDevice? = AVCaptureDevice()

    public init() {}

    public class func requestAccess(for mediaType: AVMediaType) async -> Bool { isAllowed }

    public class func `default`(
        _ deviceType: DeviceType, for mediaType: AVMediaType?, position: Position
    ) -> AVCaptureDevice? { device }
}

public class AVCaptureInput: NSObject, @unchecked Sendable {}
public class AVCaptureDeviceInput: AVCaptureInput, @unchecked Sendable {
    public init(device: AVCaptureDevice) throws {}
}
public class AVCaptureOutput: NSObject, @unchecked Sendable {}
public class AVCaptureConnection: NSObject, @unchecked Sendable {}

public protocol AVCaptureVideoDataOutputSampleBufferDelegate: AnyObject {
    func captureOutput(
        _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer,
        from connection: AVCaptureConnection)
    func captureOutput(
        _ output: AVCaptureOutput, didDrop sampleBuffer: CMSampleBuffer,
        from connection: AVCaptureConnection)
}

public class AVCaptureVideoDataOutput: AVCaptureOutput, @unchecked Sendable {
    public var videoSettings: [String: Any]!
    public var alwaysDiscardsLateVideoFrames = false
    public private(set) weak var delegate: (any AVCaptureVideoDataOutputSampleBufferDelegate)?
    public func setSampleBufferDelegate(
        _ delegate: (any AVCaptureVideoDataOutputSampleBufferDelegate)?, queue: DispatchQueue?
    ) { self.delegate = delegate }
}

public class AVCaptureSession: NSObject, @unchecked Sendable {
    public struct Preset: Hashable, Sendable {
        public static let hd1280x720 = Preset()
    }
    public static let wasInterruptedNotification = Notification.Name(
        "AVCaptureSessionWasInterruptedNotification")
    public var sessionPreset = Preset.hd1280x720
    public private(set) var isRunning = false
    public private(set) var outputs: [AVCaptureOutput] = []
    public var isFull = false
    public func beginConfiguration() {}
    public func commitConfiguration() {}
    public func canAddInput(_ input: AVCaptureInput) -> Bool { !isFull }
    public func canAddOutput(_ output: AVCaptureOutput) -> Bool { !isFull }
    public func addInput(_ input: AVCaptureInput) {}
    public func addOutput(_ output: AVCaptureOutput) { outputs.append(output) }
    public func startRunning() { isRunning = true }
    public func stopRunning() { isRunning = false }
}

public struct AVLayerVideoGravity: Hashable, Sendable {
    public static let resizeAspect = AVLayerVideoGravity()
}

public class AVCaptureVideoPreviewLayer: CALayer {
    public var session: AVCaptureSession?
    public var videoGravity = AVLayerVideoGravity.resizeAspect
}

extension ProcessInfo {
    public enum ThermalState: Int, Sendable {
        case nominal = 0
        case fair = 1
        case serious = 2
        case critical = 3
    }
    public static let thermalStateDidChangeNotification = Notification.Name(
        "NSProcessInfoThermalStateDidChangeNotification")
    nonisolated(unsafe) public static var state = ThermalState.nominal
    public var thermalState: ThermalState { ProcessInfo.state }
}

extension NotificationCenter {
    /// On Apple's systems a sequence of its own type.
    public func notifications(named name: Notification.Name) -> AsyncStream<Bool> {
        AsyncStream { continuation in
            nonisolated(unsafe) let token = addObserver(forName: name, object: nil, queue: nil) { _ in
                continuation.yield(true)
            }
            continuation.onTermination = { _ in self.removeObserver(token) }
        }
    }
}
