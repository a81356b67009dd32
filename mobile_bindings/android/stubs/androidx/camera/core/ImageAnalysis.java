// After the reference of androidx.camera:camera-core 1.4.
package androidx.camera.core;

import java.util.concurrent.Executor;
import org.jetbrains.annotations.NotNull;

public final class ImageAnalysis extends UseCase {
    public static final int STRATEGY_KEEP_ONLY_LATEST = Integer.valueOf(0);
    public static final int STRATEGY_BLOCK_PRODUCER = Integer.valueOf(1);

    private ImageAnalysis() {}

    public void setAnalyzer(@NotNull Executor executor, @NotNull Analyzer analyzer) {
        throw new Error();
    }

    public interface Analyzer {
        void analyze(@NotNull ImageProxy image);
    }

    public static final class Builder {
        public @NotNull Builder setBackpressureStrategy(int strategy) { throw new Error(); }
        public @NotNull Builder setImageQueueDepth(int depth) { throw new Error(); }
        public @NotNull ImageAnalysis build() { throw new Error(); }
    }
}
