// After the reference of androidx.camera:camera-core 1.4.
package androidx.camera.core;

public interface ImageInfo {
    long getTimestamp();
    int getRotationDegrees();
}
