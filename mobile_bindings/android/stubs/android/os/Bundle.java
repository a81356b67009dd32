// After the reference of android.os.Bundle, API 36.
package android.os;

public final class Bundle {}
