// After the reference of androidx.camera:camera-core 1.4.
package androidx.camera.core;

import org.jetbrains.annotations.NotNull;

public final class CameraSelector {
    public static final @NotNull CameraSelector DEFAULT_BACK_CAMERA = new CameraSelector();
}
