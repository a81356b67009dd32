plugins {
    alias(libs.plugins.library)
    alias(libs.plugins.kotlin.android)
    `maven-publish`
}

android {
    namespace = "io.tallylens.android"
    compileSdk = 36
    defaultConfig { minSdk = 24 }
    testOptions { unitTests.isReturnDefaultValues = true }
    publishing {
        singleVariant("release") {
            withSourcesJar()
            withJavadocJar()
        }
    }
}

kotlin {
    explicitApi()
    compilerOptions { allWarningsAsErrors = true }
}

dependencies {
    api(project(":tallylens-core"))
    api(libs.camera.core)
    api(libs.lifecycle)
    compileOnly(libs.litert)
    implementation(libs.okhttp)
    testImplementation(libs.junit)
}

publishing {
    publications.register<MavenPublication>("release") { afterEvaluate { from(components["release"]) } }
}
