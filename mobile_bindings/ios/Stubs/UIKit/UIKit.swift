// Declarations of UIKit and QuartzCore that the sample uses, as Swift imports them.
import Foundation

open class CALayer: NSObject {
    public required override init() {}
}

@MainActor
open class UIView: NSObject {
    open class var layerClass: AnyClass { CALayer.self }
    public let layer: CALayer

    public override init() {
        let made = (type(of: self).layerClass as? CALayer.Type).map { $0.init() }
        layer = made ?? CALayer()
    }
}
