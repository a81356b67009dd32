// After the reference of androidx.camera:camera-lifecycle 1.4.
package androidx.camera.lifecycle;

import android.content.Context;
import androidx.camera.core.CameraSelector;
import androidx.camera.core.UseCase;
import androidx.lifecycle.LifecycleOwner;
import com.google.common.util.concurrent.ListenableFuture;
import org.jetbrains.annotations.NotNull;

public final class ProcessCameraProvider {
    public static @NotNull ListenableFuture<ProcessCameraProvider> getInstance(@NotNull Context context) {
        throw new Error();
    }

    public @NotNull Object bindToLifecycle(
            @NotNull LifecycleOwner owner, @NotNull CameraSelector camera, @NotNull UseCase... useCases) {
        throw new Error();
    }
}
