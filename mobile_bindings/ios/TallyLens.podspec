# The binary that scripts/xcframework.sh builds; the package itself is Package.swift. The zip is among the
# files of a release of the repository at this address.
repository = ENV.fetch("TALLYLENS_REPOSITORY")

Pod::Spec.new do |spec|
  spec.name = "TallyLens"
  spec.version = "0.2.0"
  spec.summary = "Detects, tracks and counts objects on the device."
  spec.description = "Core ML detects; what crosses lines and visits zones is counted, with the results of Python."
  spec.homepage = repository
  spec.license = { :type => "Apache-2.0", :file => "TallyLens.xcframework/LICENSE" }
  spec.author = "The tallylens authors"
  spec.source = { :http => "#{repository}/releases/download/v#{spec.version}/TallyLens.xcframework.zip" }
  spec.ios.deployment_target = "16.0"
  spec.swift_version = "6.0"
  spec.vendored_frameworks = "TallyLens.xcframework"
  spec.libraries = "z", "c++"
  # TallyLensCoreML and TallyLensCamera are modules in the same framework.
  spec.user_target_xcconfig = {
    "SWIFT_INCLUDE_PATHS" => "$(inherited) ${PODS_XCFRAMEWORKS_BUILD_DIR}/TallyLens/TallyLens.framework/Modules"
  }
end
